"""Examples of fixes for rules about newer syntax: lines before and after, by rule code."""

from typing import Final

TEXT: Final = """
FURB105
print("")
->
print()

FURB110
size = box.size if box.size else 1
->
size = box.size or 1

FURB118
boxes.sort(key=lambda box: box[1])
->
boxes.sort(key=operator.itemgetter(1))

FURB129
for line in file.readlines():
    total += len(line)
->
for line in file:
    total += len(line)

FURB136
most = a if a > b else b
->
most = max(a, b)

FURB140
sums = [add(a, b) for a, b in pairs]
->
sums = list(itertools.starmap(add, pairs))

FURB142
for name in names:
    known.add(name)
->
known.update(names)

FURB145
copy = names[:]
->
copy = names.copy()

FURB148
for number, _ in enumerate(boxes):
    total += number
->
for number in range(len(boxes)):
    total += number

FURB154
global width
global height
->
global width, height

FURB168
if isinstance(box, type(None)):
    return 0
->
if box is None:
    return 0

FURB171
if unit in ("kg",):
    return 1000
->
if unit == "kg":
    return 1000

FURB187
names = names[::-1]
->
names.reverse()

FURB188
if name.endswith(".py"):
    name = name[:-3]
->
name = name.removesuffix(".py")

FURB192
least = sorted(sizes)[0]
->
least = min(sizes)

PERF102
for name, _ in sizes.items():
    names.append(name + "!")
->
for name in sizes.keys():
    names.append(name + "!")

PERF401
names = []
for box in boxes:
    if box.full:
        names.append(box.name)
->
names = [box.name for box in boxes if box.full]

PERF402
names = []
for name in boxes:
    names.append(name)
->
names = list(boxes)

PERF403
sizes = {}
for name, size in pairs:
    sizes[name] = size
->
sizes = {name: size for name, size in pairs}

PLR1714
if unit == "kg" or unit == "g":
    return 1
->
if unit in ("kg", "g"):
    return 1

PLR5501
if size > 9:
    kind = "big"
else:
    if size > 5:
        kind = "middle"
    else:
        kind = "small"
->
if size > 9:
    kind = "big"
elif size > 5:
    kind = "middle"
else:
    kind = "small"

RUF005
names = names + [name]
->
names = [*names, name]

RUF015
first = list(boxes)[0]
->
first = next(iter(boxes))

UP004
class Box(object):
    pass
->
class Box:
    pass

UP006
sizes: List[int] = []
->
sizes: list[int] = []

UP007
size: Union[int, str] = 3
->
size: int | str = 3

UP045
size: Optional[int] = 3
->
size: int | None = 3

UP008
super(Box, self).close()
->
super().close()

UP012
data = "kg".encode("utf-8")
->
data = b"kg"

UP015
with open(path, "r") as file:
    text = file.read()
->
with open(path) as file:
    text = file.read()

UP018
text = str("kg")
->
text = "kg"

UP024
try:
    close(box)
except IOError:
    stop()
->
try:
    close(box)
except OSError:
    stop()

UP025
name = u"kg"
->
name = "kg"

UP028
for box in boxes:
    yield box
->
yield from boxes

UP030
title = "{0} and {1}".format(name, size)
->
title = "{} and {}".format(name, size)

UP031
title = "%s has %r" % (name, size)
->
title = f"{name} has {size!r}"

UP032
title = "{} has {!r}".format(name, box.size)
->
title = f"{name} has {box.size!r}"

UP034
size = add((1 + 2))
->
size = add(1 + 2)
"""
