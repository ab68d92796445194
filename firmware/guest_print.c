/* Where records go in a project of one's own: to its printf(). Put what the board has in its place.
 */
#include <stdio.h>

#include "thimble_firmware.h"

void thimble_print(const char* text) {
  fputs(text, stdout);
  fflush(stdout);
}
