"""Examples of fixes for ruff's rules from flake8 and its plugins: lines before and after, by rule code."""

from typing import Final

TEXT: Final = '''
B006
def add(item, items=[]):
    items.append(item)
    return items
->
def add(item, items=None):
    if items is None:
        items = []
    items.append(item)
    return items

B007
for name, size in files:
    total += size
->
for _name, size in files:
    total += size

B009
width = getattr(box, "width")
->
width = box.width

B010
setattr(box, "width", 3)
->
box.width = 3

B011
assert False, "no such unit"
->
raise AssertionError("no such unit")

B904
try:
    size = int(text)
except ValueError:
    raise UnitError(text)
->
try:
    size = int(text)
except ValueError as error:
    raise UnitError(text) from error

B905
pairs = zip(names, sizes)
->
pairs = zip(names, sizes, strict=False)

B028
warnings.warn("old unit")
->
warnings.warn("old unit", stacklevel=2)

C400
sizes = list(box.size for box in boxes)
->
sizes = [box.size for box in boxes]

C401
sizes = set(box.size for box in boxes)
->
sizes = {box.size for box in boxes}

C402
sizes = dict((box.name, box.size) for box in boxes)
->
sizes = {box.name: box.size for box in boxes}

C403
sizes = set([box.size for box in boxes])
->
sizes = {box.size for box in boxes}

C404
sizes = dict([(box.name, box.size) for box in boxes])
->
sizes = {box.name: box.size for box in boxes}

C405
units = set(["kg", "g"])
->
units = {"kg", "g"}

C406
units = dict([("kg", 1000), ("g", 1)])
->
units = {"kg": 1000, "g": 1}

C408
sizes = dict()
->
sizes = {}

C409
units = tuple(["kg", "g"])
->
units = ("kg", "g")

C410
units = list(["kg", "g"])
->
units = ["kg", "g"]

C411
sizes = list([box.size for box in boxes])
->
sizes = [box.size for box in boxes]

C413
names = list(sorted(boxes))
->
names = sorted(boxes)

C414
names = sorted(list(boxes))
->
names = sorted(boxes)

C416
names = [name for name in boxes]
->
names = list(boxes)

C417
sizes = list(map(lambda box: box.size + 1, boxes))
->
sizes = [box.size + 1 for box in boxes]

C419
full = all([box.full for box in boxes])
->
full = all(box.full for box in boxes)

C420
sizes = {name: None for name in names}
->
sizes = dict.fromkeys(names)

E711
if box == None:
    return 0
->
if box is None:
    return 0

E712
if box.full == True:
    return 0
->
if box.full:
    return 0

E713
if not name in boxes:
    return 0
->
if name not in boxes:
    return 0

E714
if not box is None:
    return 0
->
if box is not None:
    return 0

E721
if type(size) == int:
    return size
->
if isinstance(size, int):
    return size

E722
try:
    return int(text)
except:
    return 0
->
try:
    return int(text)
except Exception:
    return 0

E731
double = lambda size: size * 2
->
def double(size):
    return size * 2

E741
for l in lines:
    total += len(l)
->
for line in lines:
    total += len(line)

F541
title = f"All boxes"
->
title = "All boxes"

F632
if unit is "kg":
    return 1000
->
if unit == "kg":
    return 1000

PIE790
class BoxError(Exception):
    """A box is wrong."""
    pass
->
class BoxError(Exception):
    """A box is wrong."""

PIE800
sizes = {"kg": 1000, **{"g": 1}}
->
sizes = {"kg": 1000, "g": 1}

PIE804
box = Box(**{"width": 3})
->
box = Box(width=3)

PIE808
for number in range(0, count):
    total += number
->
for number in range(count):
    total += number

PIE810
if name.startswith("a") or name.startswith("b"):
    return name
->
if name.startswith(("a", "b")):
    return name

RET501
def close(self):
    self.file.close()
    return None
->
def close(self):
    self.file.close()

RET503
def size_of(box):
    if box is not None:
        return box.size
->
def size_of(box):
    if box is not None:
        return box.size
    return None

RET504
def size_of(box):
    size = box.width * box.height
    return size
->
def size_of(box):
    return box.width * box.height

RET505
if size > 9:
    return "big"
else:
    return "small"
->
if size > 9:
    return "big"
return "small"

RET506
if size < 0:
    raise ValueError(size)
else:
    store(size)
->
if size < 0:
    raise ValueError(size)
store(size)

RET507
for box in boxes:
    if box.full:
        continue
    else:
        fill(box)
->
for box in boxes:
    if box.full:
        continue
    fill(box)

RET508
for box in boxes:
    if box.full:
        break
    else:
        fill(box)
->
for box in boxes:
    if box.full:
        break
    fill(box)

SIM101
if isinstance(size, int) or isinstance(size, float):
    return size
->
if isinstance(size, (int, float)):
    return size

SIM102
if box is not None:
    if box.full:
        return 0
->
if box is not None and box.full:
    return 0

SIM103
def is_full(box):
    if box.size > 9:
        return True
    else:
        return False
->
def is_full(box):
    return box.size > 9

SIM105
try:
    close(box)
except OSError:
    pass
->
with contextlib.suppress(OSError):
    close(box)

SIM108
if box.full:
    size = 0
else:
    size = box.size
->
size = 0 if box.full else box.size

SIM110
def has_full(boxes):
    for box in boxes:
        if box.full:
            return True
    return False
->
def has_full(boxes):
    return any(box.full for box in boxes)

SIM114
if unit == "kg":
    size = 1
elif unit == "g":
    size = 1
->
if unit == "kg" or unit == "g":
    size = 1

SIM115
text = open(path).read()
->
with open(path) as file:
    text = file.read()

SIM117
with open(first) as a:
    with open(second) as b:
        copy(a, b)
->
with open(first) as a, open(second) as b:
    copy(a, b)

SIM118
if name in sizes.keys():
    return sizes[name]
->
if name in sizes:
    return sizes[name]

SIM201
if not size == 3:
    return size
->
if size != 3:
    return size

SIM210
full = True if size > 9 else False
->
full = size > 9

SIM211
small = False if size > 9 else True
->
small = not size > 9

SIM212
size = 1 if not box else box
->
size = box if box else 1

SIM300
if 3 == size:
    return size
->
if size == 3:
    return size

SIM401
if name in sizes:
    size = sizes[name]
else:
    size = 0
->
size = sizes.get(name, 0)

SIM910
size = sizes.get("kg", None)
->
size = sizes.get("kg")
'''
