using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace BackupDr.Storage.Posix;

/// <summary>Extended attributes: of the open thing, and of entries below an open folder without opening them.</summary>
/// <remarks>
/// The kernel has no "attributes of a name below a folder" call before 6.13, so the path /proc/self/fd/N/name is used: it is short whatever
/// the depth, and its last part is not followed. POSIX ACLs are attributes too (system.posix_acl_access and _default).
/// </remarks>
public sealed partial class Descriptor
{
    const int UsualListBytes = 1024, UsualValueBytes = 1024;
    static volatile bool _hasListAt = true;

    /// <summary>Names and values, sorted by name; empty where the file system has none. Must not be opened with
    /// <see cref="OpenFlags.PathOnly"/>.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public IReadOnlyList<KeyValuePair<string, byte[]>> Attributes() => ReadAttributes(default);

    /// <summary>As <see cref="Attributes"/>, of an entry below this folder; of a symbolic link itself.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    [SkipLocalsInit]
    public IReadOnlyList<KeyValuePair<string, byte[]>> AttributesAt(ReadOnlySpan<byte> name)
    {
        if (HasNone(name)) return [];
        Span<byte> room = stackalloc byte[NativeName.Room];
        return ReadAttributes(new NativeName(EntryPath(name, room), stackalloc byte[NativeName.Room]));
    }

    // Nearly every entry has no attribute at all; Linux 6.13 tells so in a third of the time that the way through /proc takes.
    [SkipLocalsInit]
    bool HasNone(ReadOnlySpan<byte> name)
    {
        if (!_hasListAt) return false;
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        byte room = 0;
        var bytes = Libc.listxattrat(Libc.ListXattrAt, this, in native.First, Libc.NoFollow, ref room, 0);
        if (bytes < 0 && PosixException.Last is Errno.ENOSYS or Errno.EPERM) _hasListAt = false;   // EPERM: a container's filter
        return bytes == 0;
    }

    /// <summary>Sets an attribute of the open thing.</summary>
    [SkipLocalsInit]
    public Errno TrySetAttribute(string attribute, ReadOnlySpan<byte> value)
    {
        var native = new NativeName(Encoding.UTF8.GetBytes(attribute), stackalloc byte[NativeName.Room]);
        return Libc.fsetxattr(this, in native.First, in MemoryMarshal.GetReference(value), value.Length, 0) == 0 ? Errno.None
            : PosixException.Last;
    }

    /// <summary>Sets an attribute of an entry below this folder; of a symbolic link itself.</summary>
    [SkipLocalsInit]
    public Errno TrySetAttributeAt(ReadOnlySpan<byte> name, string attribute, ReadOnlySpan<byte> value)
    {
        var path = new NativeName(EntryPath(name, stackalloc byte[NativeName.Room]), stackalloc byte[NativeName.Room]);
        var native = new NativeName(Encoding.UTF8.GetBytes(attribute), stackalloc byte[NativeName.Room]);
        return Libc.lsetxattr(in path.First, in native.First, in MemoryMarshal.GetReference(value), value.Length, 0) == 0
            ? Errno.None : PosixException.Last;
    }

    /// <summary>Removes an attribute of the open thing.</summary>
    [SkipLocalsInit]
    public Errno TryRemoveAttribute(string attribute)
    {
        var native = new NativeName(Encoding.UTF8.GetBytes(attribute), stackalloc byte[NativeName.Room]);
        return Libc.fremovexattr(this, in native.First) == 0 ? Errno.None : PosixException.Last;
    }

    Span<byte> EntryPath(ReadOnlySpan<byte> name, Span<byte> room)
    {
        var head = "/proc/self/fd/"u8;
        if (room.Length < head.Length + 11 + name.Length) room = new byte[head.Length + 11 + name.Length];
        head.CopyTo(room);
        // The number stays ours for the length of the call: callers keep the descriptor open, as for every other call on it.
        _ = ((int)handle).TryFormat(room[head.Length..], out var digits, default, CultureInfo.InvariantCulture);
        var at = head.Length + digits;
        room[at++] = (byte)'/';
        name.CopyTo(room[at..]);
        return room[..(at + name.Length)];
    }

    [SkipLocalsInit]
    KeyValuePair<string, byte[]>[] ReadAttributes(NativeName path)
    {
        Span<byte> listRoom = stackalloc byte[UsualListBytes];
        if (!TryAsk(path, default, ref listRoom, out var names)) return [];
        Span<byte> nameRoom = stackalloc byte[NativeName.Room];
        Span<byte> valueRoom = stackalloc byte[UsualValueBytes];
        var found = new List<KeyValuePair<string, byte[]>>();
        foreach (var range in names.Split((byte)0))
        {
            var name = names[range];
            if (!name.IsEmpty && TryAsk(path, new NativeName(name, nameRoom), ref valueRoom, out var value))
                found.Add(new(Encoding.UTF8.GetString(name), value.ToArray()));
        }
        var sorted = found.ToArray();
        Array.Sort(sorted, static (a, b) => string.CompareOrdinal(a.Key, b.Key));
        return sorted;
    }

    // The list of names where attribute is empty, else one value. Grows the room as needed. False: there is none, or it went away
    // meanwhile.
    bool TryAsk(NativeName path, NativeName attribute, ref Span<byte> room, out ReadOnlySpan<byte> answer)
    {
        while (true)
        {
            var count = Ask(path, attribute, room);
            if (count >= 0) { answer = room[..(int)count]; return attribute.IsEmpty ? count > 0 : true; }
            answer = default;
            switch (PosixException.Last)
            {
                case Errno.EINTR: break;
                case Errno.ENODATA or Errno.ENOTSUP: return false;
                case Errno.ERANGE when room.Length < 1 << 20: room = new byte[Math.Max(64 * 1024, room.Length * 2)]; break;
                default: throw PosixException.FromLast(attribute.IsEmpty ? "listxattr" : "getxattr", path.Path);
            }
        }
    }

    nint Ask(NativeName path, NativeName attribute, Span<byte> room)
    {
        ref var first = ref MemoryMarshal.GetReference(room);
        if (attribute.IsEmpty)
            return path.IsEmpty ? Libc.flistxattr(this, ref first, room.Length) : Libc.llistxattr(in path.First, ref first, room.Length);
        return path.IsEmpty
            ? Libc.fgetxattr(this, in attribute.First, ref first, room.Length)
            : Libc.lgetxattr(in path.First, in attribute.First, ref first, room.Length);
    }
}
