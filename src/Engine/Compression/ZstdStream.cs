using System.Buffers;
using System.Runtime.InteropServices;

namespace BackupDr.Engine.Compression;

/// <summary>Decompresses frames that do not tell their length, as stock restic writes for small files.</summary>
public sealed unsafe partial class ZstdStream : IDisposable
{
    IntPtr _context = Zstd.ZSTD_createDCtx();

    [StructLayout(LayoutKind.Sequential)]
    struct Buffer
    {
        public byte* Start;
        public nuint Size;
        public nuint Position;
    }

    [LibraryImport("libzstd")] private static partial nuint ZSTD_decompressStream(IntPtr context, Buffer* output, Buffer* input);

    /// <summary>Gives the plain bytes; false where the frame is damaged, truncated, or longer than <paramref name="limit"/>.</summary>
    public bool TryDecompress(ReadOnlySpan<byte> frame, int limit, out ReadOnlyMemory<byte> plain)
    {
        plain = default;
        var output = new ArrayBufferWriter<byte>(Math.Max(4096, frame.Length * 4));
        fixed (byte* from = frame)
        {
            var input = new Buffer { Start = from, Size = (nuint)frame.Length };
            while (true)
            {
                var space = output.GetSpan(64 * 1024);
                nuint rest, written;
                fixed (byte* to = space)
                {
                    var target = new Buffer { Start = to, Size = (nuint)space.Length };
                    rest = ZSTD_decompressStream(_context, &target, &input);
                    written = target.Position;
                }
                if (Zstd.ZSTD_isError(rest) != 0) return false;
                output.Advance((int)written);
                if (output.WrittenCount > limit) return false;
                if (rest == 0 && input.Position == input.Size) { plain = output.WrittenMemory; return true; }
                if (input.Position == input.Size && written == 0) return false;   // truncated
            }
        }
    }

    /// <summary>Frees the context.</summary>
    public void Dispose()
    {
        if (_context != IntPtr.Zero) Zstd.ZSTD_freeDCtx(_context);
        _context = IntPtr.Zero;
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what a lost stream left.</summary>
    ~ZstdStream() => Dispose();
}
