"""What an ELF file of the interpreter carries beyond what runs."""

import struct

SHARED_PATHS = (15, 29)  # DT_RPATH, DT_RUNPATH


class Elf:
    def __init__(self, data):
        self.data = bytearray(data)
        self.wide = data[4] == 2
        self.order = "<" if data[5] == 1 else ">"
        where = 32 if self.wide else 28
        self.headers = self.number(where, "Q" if self.wide else "I")
        self.size, self.count = (self.number(where + step, "H") for step in ((22, 24) if self.wide else (14, 16)))

    def number(self, at, form):
        return struct.unpack_from(self.order + form, self.data, at)[0]

    def segments(self):
        """Type, offset, address and size in the file of each."""
        for index in range(self.count):
            at = self.headers + index * self.size
            if self.wide:
                kind, _, offset, address, _, size = struct.unpack_from(self.order + "IIQQQQ", self.data, at)
            else:
                kind, offset, address, _, size = struct.unpack_from(self.order + "IIIII", self.data, at)
            yield kind, offset, address, size

    def offset_of(self, address):
        for kind, offset, start, size in self.segments():
            if kind == 1 and start <= address < start + size:
                return offset + address - start
        return None

    def dynamic(self):
        form = self.order + ("qQ" if self.wide else "iI")
        for kind, offset, _, size in self.segments():
            if kind == 2:
                for tag, value in struct.iter_unpack(form, self.data[offset : offset + size]):
                    if tag == 0:
                        return
                    yield tag, value

    def needed(self):
        """Names of the libraries that it wants."""
        table = next((self.offset_of(value) for tag, value in self.dynamic() if tag == 5), None)
        starts = [table + value for tag, value in self.dynamic() if tag == 1] if table is not None else []
        return {bytes(self.data[start : self.data.index(0, start)]).decode("utf-8", "replace") for start in starts}

    def replace_run_path(self, path):
        """Puts `path` in place of the folder that the file was linked for, when there is room."""
        table = next((self.offset_of(value) for tag, value in self.dynamic() if tag == 5), None)
        for tag, value in self.dynamic():
            if tag in SHARED_PATHS and table is not None:
                start = table + value
                old = self.data[start : self.data.index(0, start)]
                if len(path) <= len(old):
                    self.data[start : start + len(old)] = path.ljust(len(old), b"\0")

    def strip(self):
        """Leaves what program headers speak of: sections, symbols and debug information are for linkers and debuggers."""
        end = max([offset + size for _, offset, _, size in self.segments()] + [self.headers + self.size * self.count])
        if end >= len(self.data):
            return
        del self.data[end:]
        if self.wide:
            struct.pack_into(self.order + "Q", self.data, 40, 0)
            struct.pack_into(self.order + "HHH", self.data, 58, 0, 0, 0)
        else:
            struct.pack_into(self.order + "I", self.data, 32, 0)
            struct.pack_into(self.order + "HHH", self.data, 46, 0, 0, 0)


def stripped(data, run_path=None):
    if data[:4] != b"\x7fELF":
        return data
    elf = Elf(data)
    if run_path:
        elf.replace_run_path(run_path)
    elf.strip()
    return bytes(elf.data)
