# a comment
@problemName two
@timeStamps false
@univariate false
@classLabel true b a

@data
1,2,3:4,5,6:a
1.5,-2,3e1:7,8,9:b
