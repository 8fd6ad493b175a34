const std = @import("std");
const sequence = @import("sequence.zig");

pub fn main() !void {
    var arguments = std.process.args();
    _ = arguments.skip();
    const text = arguments.next() orelse "27";
    const start = try std.fmt.parseInt(u64, text, 10);

    var buffer: [1024]u8 = undefined;
    var writer = std.fs.File.stdout().writer(&buffer);
    const out = &writer.interface;
    try out.print("{d} steps from {d}\n", .{ sequence.steps(start), start });
    try out.flush();
}
