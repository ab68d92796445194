// Runs an ONNX model in ONNX Runtime, operator by operator as ONNX defines them: its optimiser, which
// swaps in kernels of its own arithmetic, is off.
//
//   node run_onnx.mjs RUNTIME MODEL SAMPLES INPUTS OUTPUTS
//
// INPUTS holds the raw tensors of the model's inputs one behind the other, OUTPUTS is written so.
// Float and int8; SAMPLES stands for every size that the model leaves open.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [runtime, model, samples, inputs, outputs] = process.argv.slice(2);
const { InferenceSession, Tensor } = createRequire(runtime + '/')('onnxruntime-node');
const arrays = { float32: Float32Array, int8: Int8Array };

const session = await InferenceSession.create(model, {
  graphOptimizationLevel: 'disabled', intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3,
});
const bytes = readFileSync(inputs);
let place = 0;
const feeds = {};
for (const { name, type, shape } of session.inputMetadata) {
  const sizes = shape.map((size) => (typeof size === 'number' ? size : Number(samples)));
  const length = sizes.reduce((a, b) => a * b, 1) * arrays[type].BYTES_PER_ELEMENT;
  const values = new arrays[type](new Uint8Array(bytes.subarray(place, place + length)).buffer);
  feeds[name] = new Tensor(type, values, sizes);
  place += length;
}
if (place !== bytes.length) throw new Error(`${bytes.length} bytes of inputs, expected ${place}`);
const results = await session.run(feeds);
writeFileSync(outputs, Buffer.concat(session.outputNames.map((name) => {
  const { buffer, byteOffset, byteLength } = results[name].data;
  return Buffer.from(buffer, byteOffset, byteLength);
})));
