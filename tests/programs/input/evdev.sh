#!/bin/sh
# python3-evdev: a keyboard and a tablet made by uinput, read, grabbed, their LEDs set, their events read asynchronously.
# seconds: 300

python3 - <<'END'
import asyncio, select
from evdev import AbsInfo, InputDevice, InputEvent, UInput, categorize, ecodes as e, list_devices

def find(name):
    return next(d for d in map(InputDevice, list_devices()) if d.name == name)

keys = {e.EV_KEY: [e.KEY_A, e.KEY_B, e.KEY_LEFTSHIFT], e.EV_LED: [e.LED_CAPSL, e.LED_NUML]}
with UInput(keys, name="a keyboard", vendor=0x12, product=0x34, version=5, bustype=3, phys="here") as board:
    d = find("a keyboard")
    print(d.name, d.phys, d.info.vendor, d.info.product, d.info.version, d.info.bustype, d.uniq)
    print(sorted(d.capabilities(verbose=True).items(), key=str))
    board.write(e.EV_KEY, e.KEY_A, 1)
    board.syn()
    print(d.active_keys(verbose=True))
    board.write(e.EV_KEY, e.KEY_A, 0)
    board.syn()
    select.select([d], [], [])
    for event in d.read():
        print(str(categorize(event)).split(",", 1)[1])
    d.set_led(e.LED_CAPSL, 1)
    print(d.leds(verbose=True))
    select.select([board], [], [])
    print([(x.type, x.code, x.value) for x in board.device.read()][:1])
    d.grab()
    try:
        InputDevice(d.path).grab()
    except OSError as error:
        print(error.strerror)
    d.ungrab()
    d.close()

axes = {e.EV_ABS: [(e.ABS_X, AbsInfo(5, 0, 1000, 4, 2, 10)), (e.ABS_Y, AbsInfo(0, -50, 50, 0, 0, 0))], e.EV_KEY: [e.BTN_TOUCH]}
with UInput(axes, name="a tablet") as tablet:
    d = find("a tablet")
    print(d.absinfo(e.ABS_X), d.absinfo(e.ABS_Y), d.input_props(verbose=True))
    d.set_absinfo(e.ABS_Y, max=60)
    print(d.absinfo(e.ABS_Y).max)

    async def read():
        seen = []
        async for event in d.async_read_loop():
            seen.append((event.type, event.code, event.value))
            if event.code == e.BTN_TOUCH and event.value == 0:
                return seen

    async def both():
        reader = asyncio.ensure_future(read())
        for n in range(0, 1000, 100):
            tablet.write(e.EV_ABS, e.ABS_X, n)
            tablet.write(e.EV_KEY, e.BTN_TOUCH, int(n < 900))
            tablet.syn()
            await asyncio.sleep(0)
        return await reader

    print(asyncio.run(both()))
    gone = d
try:
    gone.read_one()
except OSError as error:
    print(error.strerror)
END
