using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;

namespace BackupDr.Storage.Posix;

/// <summary>Names of users and groups as this host knows them, asked once each. Safe for concurrent use.</summary>
public static class AccountNames
{
    static readonly ConcurrentDictionary<uint, string> Users = new();
    static readonly ConcurrentDictionary<uint, string> Groups = new();
    static readonly ConcurrentDictionary<string, uint?> Uids = new(StringComparer.Ordinal);
    static readonly ConcurrentDictionary<string, uint?> Gids = new(StringComparer.Ordinal);

    /// <summary>Whether this process may do everything (effective user 0).</summary>
    public static bool IsRoot { get; } = Libc.geteuid() == 0;

    /// <summary>The effective user of this process.</summary>
    public static uint CurrentUid => Libc.geteuid();

    /// <summary>The user's name; empty where the number has none.</summary>
    public static string User(uint uid) => Users.GetOrAdd(uid, static id => NameOf(id, user: true));

    /// <summary>The group's name; empty where the number has none.</summary>
    public static string Group(uint gid) => Groups.GetOrAdd(gid, static id => NameOf(id, user: false));

    /// <summary>The user's number; null where there is no such user here.</summary>
    public static uint? UidOf(string user) => Uids.GetOrAdd(user, static name => NumberOf(name, user: true));

    /// <summary>The group's number; null where there is no such group here.</summary>
    public static uint? GidOf(string group) => Gids.GetOrAdd(group, static name => NumberOf(name, user: false));

    /// <summary>The user's number and that of its own group; null where there is no such user here.</summary>
    public static (uint Uid, uint Gid)? AccountOf(string user) => NumbersOf(user, user: true);

    // struct passwd and struct group both begin with the pointer to the name; the number stands behind two pointers in both.
    const int EntryBytes = 64;
    const int NumberOffset = 16;

    static string NameOf(uint id, bool user)
    {
        Span<byte> entry = stackalloc byte[EntryBytes];
        for (var room = 1024; room <= 1 << 20; room *= 4)
        {
            var strings = GC.AllocateArray<byte>(room, pinned: true);   // the entry keeps pointers into it
            var errno = user
                ? Libc.getpwuid_r(id, entry, strings, room, out var found)
                : Libc.getgrgid_r(id, entry, strings, room, out found);
            if (errno == (int)Errno.ERANGE) continue;
            var name = errno == 0 && found != 0 ? Marshal.PtrToStringUTF8(MemoryMarshal.Read<nint>(entry)) : null;
            GC.KeepAlive(strings);
            return name ?? "";
        }
        return "";
    }

    static uint? NumberOf(string name, bool user) => NumbersOf(name, user)?.First;

    /// <summary>Of a user its own number and its group's; of a group its number, and something without meaning.</summary>
    static (uint First, uint Second)? NumbersOf(string name, bool user)
    {
        if (name.Length == 0 || name.Contains('\0')) return null;
        var native = new NativeName(Encoding.UTF8.GetBytes(name), stackalloc byte[NativeName.Room]);
        Span<byte> entry = stackalloc byte[EntryBytes];
        for (var room = 1024; room <= 1 << 20; room *= 4)
        {
            var strings = new byte[room];
            var errno = user
                ? Libc.getpwnam_r(in native.First, entry, strings, room, out var found)
                : Libc.getgrnam_r(in native.First, entry, strings, room, out found);
            if (errno == (int)Errno.ERANGE) continue;
            return errno == 0 && found != 0 ? (MemoryMarshal.Read<uint>(entry[NumberOffset..]),
                MemoryMarshal.Read<uint>(entry[(NumberOffset + sizeof(uint))..])) : null;
        }
        return null;
    }
}
