using System.Runtime.CompilerServices;
using BackupDr.Storage.Posix;

namespace BackupDr.Storage.Tests;

public sealed class ProcessImageTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(14)]
    [InlineData(40)]
    public void What_the_kernel_refuses_is_said_whatever_lay_in_the_memory_before(int arguments)
    {
        // Stack memory that a call before left full of negative numbers: what is read from it unwritten shows.
        Assert.Equal(16 * 1024 * 0xFFL, LeaveBehind(0xFF));

        var refused = Assert.IsType<PosixException>(
            ProcessImage.Replace("/nowhere/program", [.. Enumerable.Range(0, arguments).Select(number => $"argument {number}")]));

        Assert.Equal(Errno.ENOENT, refused.Errno);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static long LeaveBehind(byte value)
    {
        Span<byte> room = stackalloc byte[16 * 1024];
        room.Fill(value);
        var sum = 0L;
        foreach (var one in room) sum += one;
        return sum;
    }
}
