using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace BackupDr.Storage.Posix;

/// <summary>A path with its closing NUL, in the caller's stack where it fits. Made per call, never stored.</summary>
readonly ref struct NativeName
{
    /// <summary>Room to give on the stack: a file name has at most 255 bytes.</summary>
    public const int Room = 288;

    readonly Span<byte> _bytes;

    public NativeName(ReadOnlySpan<byte> path, Span<byte> room)
    {
        // A NUL inside would silently cut the path: the kernel would act on another file than the one that was checked.
        if (path.Contains((byte)0)) throw new ArgumentException("A path cannot hold a NUL byte.", nameof(path));
        _bytes = path.Length < room.Length ? room[..(path.Length + 1)] : new byte[path.Length + 1];
        path.CopyTo(_bytes);
        _bytes[path.Length] = 0;
    }

    /// <summary>Whether this is no name at all (the default value).</summary>
    public bool IsEmpty => _bytes.IsEmpty;

    /// <summary>Without the NUL.</summary>
    public ReadOnlySpan<byte> Path => _bytes.IsEmpty ? default : _bytes[..^1];

    [UnscopedRef]
    public ref readonly byte First => ref MemoryMarshal.GetReference(_bytes);
}
