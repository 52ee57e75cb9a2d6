// drive.js - node-redis or ioredis, told what to do by a test.
//
// Usage: node drive.js PACKAGE PORT [OPTIONS-JSON].  Reads one command a line as a
// JSON array of a method's name, as node-redis spells it, and its arguments; prints one
// line of JSON for each:
//
//     {"value": ...}                 what the client returned; errors inside arrays
//                                    are {"error": "TIMEOUT ..."}
//     {"error": "READONLY ..."}      what it rejected with
//
// Options are the client library's own; none is given by default.
'use strict';

const readline = require('node:readline');
const [, , library, port, options] = process.argv;
const address = { host: '127.0.0.1', port: Number(port) };
const more = options === undefined ? {} : JSON.parse(options);

// Everything a client may return, as JSON.
function plain(value) {
  if (value instanceof Error) return { error: value.message };
  if (Buffer.isBuffer(value)) return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]));
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value === undefined ? null : value;
}

async function connect() {
  if (library.startsWith('redis')) {
    const client = require(library).createClient({ socket: address, ...more });
    client.on('error', (error) => console.error('event', error.message));
    await client.connect();
    return {
      call: ([name, ...args]) => client[name](...args),
      close: () => client.close(),
    };
  }
  const Redis = require(library);
  const client = new Redis({ ...address, ...more });
  client.on('error', (error) => console.error('event', error.message));
  await new Promise((resolve) => client.once('ready', resolve));
  return {
    call: ([name, ...args]) => client[name.toLowerCase()](...args.flat()),
    close: () => client.quit(),
  };
}

async function main() {
  const client = await connect();
  console.log(JSON.stringify({ value: 'ready' }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let said;
    try {
      said = { value: plain(await client.call(JSON.parse(line))) };
    } catch (error) {
      said = { error: error.message, values: plain(error.replies) };
    }
    console.log(JSON.stringify(said));
  }
  await client.close();
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
