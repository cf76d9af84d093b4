using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace BackupDr.Storage.Posix;

/// <summary>Reads the entries of an open folder with getdents64. Names are bytes and valid until the next <see cref="Next"/>.</summary>
/// <remarks>Reads from where the descriptor stands, so a descriptor is read by one reader at a time, once. "." and ".." are left
/// out.</remarks>
public ref struct FolderReader : IDisposable
{
    // 32 KiB is what the C library uses: about 800 entries a call; larger buffers were not quicker.
    const int BufferBytes = 32 * 1024;
    const int NameOffset = 19;   // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name

    readonly Descriptor _folder;
    byte[]? _buffer;
    int _at, _end;

    /// <summary>Starts on <paramref name="folder"/>, which stays the caller's.</summary>
    public FolderReader(Descriptor folder) => (_folder, _buffer) = (folder, ArrayPool<byte>.Shared.Rent(BufferBytes));

    /// <summary>The next entry; false at the end.</summary>
    /// <param name="name">Its name; valid until the next call.</param>
    /// <param name="kind">Its kind; <see cref="FileKind.Unknown"/> where the file system does not say.</param>
    /// <exception cref="PosixException">The folder cannot be read.</exception>
    public bool Next(out ReadOnlySpan<byte> name, out FileKind kind)
    {
        while (true)
        {
            if (_at == _end && !Fill()) { name = default; kind = default; return false; }
            var rest = _buffer.AsSpan(_at, _end - _at);
            var recordBytes = BinaryPrimitives.ReadUInt16LittleEndian(rest[16..]);
            kind = (FileKind)(rest[18] << 12);   // DT_x is the type of st_mode, shifted
            var padded = rest[NameOffset..recordBytes];
            name = padded[..padded.IndexOf((byte)0)];
            _at += recordBytes;
            if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8)) return true;
        }
    }

    bool Fill()
    {
        ObjectDisposedException.ThrowIf(_buffer is null, typeof(FolderReader));
        nint count;
        do count = Libc.getdents64(Libc.GetDents64, _folder, ref MemoryMarshal.GetArrayDataReference(_buffer), BufferBytes);
        while (count < 0 && PosixException.Last == Errno.EINTR);
        if (count < 0) throw PosixException.FromLast("getdents64", default);
        (_at, _end) = (0, (int)count);
        return count > 0;
    }

    /// <summary>Gives the buffer back.</summary>
    public void Dispose()
    {
        if (_buffer is not null) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = null;
    }
}
