// drive.js <client> <port> - one npm client, driven line by line.
//
// Reads a JSON array a line, [verb, argument ...], and writes a JSON line with what the
// client gave back: {"value": ...} or {"error": "..."}.  Values travel in base64.
"use strict";

const readline = require("readline");
const [name, port] = process.argv.slice(2);
const address = `127.0.0.1:${port}`;

const encode = (v) =>
    v === undefined || v === null || v === false
        ? null
        : Buffer.from(v).toString("base64");

function callback(act) {
    return new Promise((resolve, reject) =>
        act((error, data) =>
            error ? reject(new Error(String(error.message || error))) : resolve(data)));
}

function memcached() {
    const Memcached = require("memcached");
    const client = new Memcached(address, {
        poolSize: 1, timeout: 10000, retries: 0, retry: 100, reconnect: 100,
        failures: 1000, maxValue: 4 << 20,
    });
    return {
        get: async (key) => encode(await callback((done) => client.get(key, done))),
        get_many: async (keys) => {
            const data = await callback((done) => client.getMulti(keys, done));
            return Object.fromEntries(
                Object.entries(data || {}).map(([k, v]) => [k, encode(v)]));
        },
        gets: async (key) => {
            const data = await callback((done) => client.gets(key, done));
            return data ? { value: encode(data[key]), cas: String(data.cas) } : null;
        },
        set: async (key, value) => callback((done) => client.set(key, value, 0, done)),
        close: async () => client.end(),
    };
}

function memcacheClient() {
    const { MemcacheClient } = require("memcache-client");
    const client = new MemcacheClient({
        server: { server: address, maxConnections: 1 },
        cmdTimeout: 10000, ignoreNotStored: false,
    });
    const value = (found) => (found === undefined ? null : encode(found.value));
    return {
        get: async (key) => value(await client.get(key)),
        get_many: async (keys) => {
            const data = (await client.get(keys)) || {};
            return Object.fromEntries(
                Object.entries(data).map(([k, v]) => [k, value(v)]));
        },
        gets: async (key) => {
            const found = await client.gets(key);
            return found === undefined
                ? null
                : { value: encode(found.value), cas: String(found.casUniq) };
        },
        set: async (key, what) => client.set(key, what),
        close: async () => client.shutdown(),
    };
}

const client = { memcached, "memcache-client": memcacheClient }[name]();

async function main() {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const [verb, ...rest] = JSON.parse(line);
        let out;
        try {
            const value = await client[verb](...rest);
            out = { value: value === undefined ? null : value };
        } catch (error) {
            out = { error: error.message };
        }
        process.stdout.write(JSON.stringify(out) + "\n");
    }
    await client.close();
    process.exit(0);
}

main();
