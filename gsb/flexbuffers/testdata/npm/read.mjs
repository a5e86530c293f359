// Reads documents with the FlexBuffers reader of the npm package flatbuffers,
// and writes some with its builder. Each line on standard input is a request,
// {"read": "<hex>"} or {"write": <tree>}; each line on standard output answers
// it with a tree, a hex string, or {"error": "<text>"}.
//
// A tree says the kind of each value: null, true, false, {"int": "5"},
// {"big": "5"} (a BigInt), {"float": 0.5}, {"string": "x"}, {"bytes": "<hex>"},
// {"vector": [...]}, {"map": {...}}.
//
// The package is taken from the folder in GOLEM_NPM_DIR, or from node_modules
// beside this file.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';

const beside = new URL('.', import.meta.url);
const require = createRequire(process.env.GOLEM_NPM_DIR
  ? resolve(process.env.GOLEM_NPM_DIR, 'package.json') : beside);
const flex = require('flatbuffers/js/flexbuffers.js');

function read(hex) {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  return tree(() => flex.toReference(bytes.buffer));
}

// tree takes a function that makes the reference anew, because a reference whose
// length has 8 bytes answers only once.
function tree(make) {
  const ref = make();
  if (ref.isNull()) return null;
  if (ref.isBool()) return ref.boolValue();
  if (ref.isFloat()) return { float: ref.floatValue() };
  if (ref.isInt()) return integer(ref.intValue());
  if (ref.isString()) return { string: ref.stringValue() };
  if (ref.isBlob()) return { bytes: Buffer.from(ref.blobValue()).toString('hex') };
  if (ref.isMap()) {
    const keys = Object.keys(ref.toObject());
    return { map: Object.fromEntries(keys.map((key) => [key, tree(() => make().get(key))])) };
  }
  return { vector: Array.from({ length: ref.length() }, (_, i) => tree(() => make().get(i))) };
}

const integer = (i) => (typeof i === 'bigint' ? { big: String(i) } : { int: String(i) });

function write(t) {
  return Buffer.from(flex.encode(value(t))).toString('hex');
}

function value(t) {
  if (t === null || typeof t === 'boolean') return t;
  const [kind, content] = Object.entries(t)[0];
  switch (kind) {
    case 'int': return Number(content);
    case 'big': return BigInt(content);
    case 'bytes': return Uint8Array.from(Buffer.from(content, 'hex'));
    case 'vector': return content.map(value);
    case 'map': return Object.fromEntries(Object.entries(content).map(([k, v]) => [k, value(v)]));
    default: return content;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = 'read' in request ? read(request.read) : write(request.write);
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}
