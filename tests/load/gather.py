"""gather.py URL SECONDS IDS - what fetchd is compared with: asyncio.gather over aiohttp.

Asks for IDS items at a time, a call each over one session that keeps its connections, as
a recommender without fetchd does.  Prints JSON: items and seconds, and with the time it
took to warm up: all_items and processor seconds.
"""
import asyncio
import itertools
import json
import sys
import time

import aiohttp


async def get(session, url):
    async with session.get(url) as response:
        if response.status != 200:
            raise SystemExit(f"status {response.status}")
        return await response.read()


async def measure(base, seconds, n):
    items, ids, cpu = 0, itertools.count(), time.process_time()
    async with aiohttp.ClientSession() as session:
        for until in (0.3, seconds):  # the first to warm up
            began, items = time.monotonic(), 0
            while time.monotonic() - began < until:
                urls = [f"{base}{next(ids)}" for _ in range(n)]
                bodies = await asyncio.gather(*(get(session, url) for url in urls))
                items += len(bodies)
    return {"items": items, "seconds": time.monotonic() - began,
            "all_items": next(ids), "cpu": time.process_time() - cpu}


print(json.dumps(asyncio.run(measure(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))))
