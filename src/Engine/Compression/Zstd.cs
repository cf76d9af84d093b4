using System.Runtime.InteropServices;

namespace BackupDr.Engine.Compression;

/// <summary>The few functions of the system's libzstd that we call.</summary>
static partial class Zstd
{
    const string Library = "libzstd";

    public const int CompressionLevel = 100, ContentSizeFlag = 200, ChecksumFlag = 201, WindowLogMaximum = 100;
    public const ulong UnknownLength = ulong.MaxValue, BadFrame = ulong.MaxValue - 1;

    static readonly Lazy<IntPtr> Handle = new(() => NativeLibraries.Load("libzstd.so.1", "libzstd.so"));

    static Zstd() => NativeLibraries.Register();

    public static bool IsPresent => Handle.Value != IntPtr.Zero;

    internal static IntPtr Resolve() => Handle.Value;

    [LibraryImport(Library)] internal static partial IntPtr ZSTD_createCCtx();
    [LibraryImport(Library)] internal static partial nuint ZSTD_freeCCtx(IntPtr context);
    [LibraryImport(Library)] internal static partial nuint ZSTD_CCtx_setParameter(IntPtr context, int parameter, int value);
    [LibraryImport(Library)]
    internal static unsafe partial nuint ZSTD_compress2(IntPtr context, byte* target, nuint capacity,
        byte* source, nuint length);
    [LibraryImport(Library)] internal static partial IntPtr ZSTD_createDCtx();
    [LibraryImport(Library)] internal static partial nuint ZSTD_freeDCtx(IntPtr context);
    [LibraryImport(Library)]
    internal static unsafe partial nuint ZSTD_decompressDCtx(IntPtr context, byte* target, nuint capacity,
        byte* source, nuint length);
    [LibraryImport(Library)] internal static unsafe partial ulong ZSTD_getFrameContentSize(byte* source, nuint length);
    [LibraryImport(Library)] internal static partial nuint ZSTD_compressBound(nuint length);
    [LibraryImport(Library)] internal static partial uint ZSTD_isError(nuint code);
    [LibraryImport(Library)] internal static partial IntPtr ZSTD_getErrorName(nuint code);

    internal static nuint Must(nuint code, string call)
        => ZSTD_isError(code) == 0 ? code
            : throw new InvalidOperationException($"{call}: {Marshal.PtrToStringUTF8(ZSTD_getErrorName(code))}");
}
