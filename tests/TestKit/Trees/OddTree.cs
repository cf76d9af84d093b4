using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.TestKit.Trees;

/// <summary>Makes trees of everything that a Linux file system can hold and that backup programs get wrong. The seed replays a
/// tree.</summary>
public sealed class OddTree
{
    const OpenFlags NewFile = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive;
    const OpenFlags AFolder = OpenFlags.ReadOnly | OpenFlags.Folder;

    readonly Random _random;
    readonly int _always;

    OddTree(int seed, int always) => (_random, _always) = (new Random(seed), always);

    /// <summary>Fills the existing folder <paramref name="at"/>. As root also owners, devices and capabilities.</summary>
    /// <param name="at">An empty folder.</param>
    /// <param name="seed">Replays the tree.</param>
    /// <param name="forStockRestic">Leaves out what Debian's restic 0.14 cannot keep: link targets that are not UTF-8, hard links and
    /// attributes of symbolic links, paths longer than the kernel takes in one piece.</param>
    /// <param name="everythingReadable">Gives the owner the right to read every file: for a user who is not root.</param>
    public static void Make(FilePath at, int seed, bool forStockRestic = false, bool everythingReadable = false)
    {
        var tree = new OddTree(seed, everythingReadable ? 0x100 : 0);
        using var root = Descriptor.OpenFolder(at);
        tree.Names(root, forStockRestic);
        tree.Contents(root);
        tree.Modes(root);
        tree.Times(root);
        tree.Links(root, forStockRestic);
        tree.Attributes(root, forStockRestic);
        Specials(root);
        tree.RandomPart(root, depth: 3);
        // Last: everything above changed the times of the folders.
        root.TrySetTimes(new PosixTime(1_600_000_000, 1), new PosixTime(1_600_000_000, 123_456_789));
    }

    void Names(Descriptor root, bool forStockRestic)
    {
        using var folder = Folder(root, "names"u8);
        byte[][] names =
        [
            [.. "latin1-"u8, 0xE9, 0xFF, .. ".txt"u8], [.. "latin1-"u8, 0xE9, 0xFE, .. ".txt"u8],   // the same string to a careless program
            [0xFF], [0xC3], [0xED, 0xA0, 0x80], "new\nline"u8.ToArray(), "tab\tand\rreturn"u8.ToArray(), [1, 2, 0x1F, 0x7F],
            "\"quotes\" and \\backslash\\"u8.ToArray(), "-rf"u8.ToArray(), "--"u8.ToArray(), " blank "u8.ToArray(), ".hidden"u8.ToArray(),
            "..."u8.ToArray(), "*?[a]"u8.ToArray(), "%2e%2e"u8.ToArray(), "$(x)`y`;z"u8.ToArray(), "html-<&>"u8.ToArray(),
            "ümläut-日本-😀"u8.ToArray(), Encoding.UTF8.GetBytes("nbsp-\u00a0-ls-\u2028-bom-\ufeff-e000-\ue000"),
            [.. Enumerable.Repeat((byte)'n', 255)], [.. Enumerable.Repeat((byte)0xF0, 255)],
        ];
        foreach (var name in names) File(folder, name, Bytes(_random.Next(50)));
        using var deep = Folder(folder, names[0].AsSpan()[..^4]);
        File(deep, "inside"u8, "x"u8);
        // A path longer than the 4096 bytes that the kernel takes in one piece.
        var at = Folder(folder, "deep"u8);
        for (var i = 0; i < (forStockRestic ? 10 : 20); i++)
        {
            using var parent = at;
            at = Folder(parent, Enumerable.Repeat((byte)('a' + i), 250).ToArray());
        }
        File(at, "bottom"u8, "far down"u8);
        at.Dispose();
    }

    void Contents(Descriptor root)
    {
        using var folder = Folder(root, "contents"u8);
        File(folder, "empty"u8, []);
        File(folder, "one"u8, "1"u8);
        foreach (var size in (int[])[4095, 4096, 4097, 65_536, 524_288, 1_000_003, 3_000_000])
            File(folder, Encoding.ASCII.GetBytes($"random-{size}"), Bytes(size));
        File(folder, "zeros"u8, new byte[200_000]);
        File(folder, "text"u8, Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("all work and no play\n", 60_000))));
        using (Folder(folder, "empty-folder"u8)) { }
        Sparse(folder, "sparse-middle"u8, 3 << 20, (0, 5_000), (2 << 20, 5_000));
        Sparse(folder, "sparse-end"u8, 5 << 20, (0, 4_096));
        Sparse(folder, "only-a-hole"u8, 1 << 20);
        Sparse(folder, "hole-first"u8, (1 << 20) + 7, (1 << 20, 7));
    }

    void Modes(Descriptor root)
    {
        using var folder = Folder(root, "modes"u8);
        foreach (var mode in (int[])[0x000, 0x100, 0x1FF, 0x9ED, 0x5E8, 0xFFF, 0x3FF])   // 0, 0400, 0777, 04755, 02750, 07777, 01777
        {
            File(folder, Encoding.ASCII.GetBytes($"file-{Convert.ToString(mode, 8)}"), Bytes(3), file
                => file.TrySetPermissions(mode | _always));
            using var sub = Folder(folder, Encoding.ASCII.GetBytes($"folder-{Convert.ToString(mode, 8)}"));
            File(sub, "inside"u8, "x"u8);
            sub.TrySetPermissions(AccountNames.IsRoot ? mode : mode | 0x140);
        }
        if (!AccountNames.IsRoot) return;
        foreach (var id in (uint[])[1, 1000, 65_534, 2_147_483_648, 4_294_967_294])
            File(folder, Encoding.ASCII.GetBytes($"owner-{id}"), Bytes(3),
                file => { file.TrySetOwner(id, id); return file.TrySetPermissions(0x9ED); });
    }

    void Times(Descriptor root)
    {
        using var folder = Folder(root, "times"u8);
        foreach (var (name, time) in ((string, PosixTime)[])[
            ("1965", new(-152_647_993, 123_456_789)), ("1969", new(-1, 999_999_999)), ("1970", new(0, 0)), ("2100", new(4_102_444_800, 1)),
            ("2261", new(9_200_000_000, 100)), ("ns", new(1_700_000_000, 7)), ("no-ns", new(1_700_000_000, 0))])
        {
            File(folder, Encoding.ASCII.GetBytes(name), Bytes(1), file => file.TrySetTimes(time, time));
            using var sub = Folder(folder, Encoding.ASCII.GetBytes($"folder-{name}"));
            sub.TrySetTimes(time, time);
            Check(folder.TryMakeSymlink(Encoding.ASCII.GetBytes($"link-{name}"), "1965"u8));
            Check(folder.TrySetTimesAt(Encoding.ASCII.GetBytes($"link-{name}"), time, time));
        }
    }

    void Links(Descriptor root, bool forStockRestic)
    {
        using var folder = Folder(root, "links"u8);
        File(folder, "first"u8, Bytes(10_000));
        Check(folder.TryLink("first"u8, folder, "second"u8));
        using (var sub = Folder(folder, "sub"u8)) Check(folder.TryLink("first"u8, sub, "third"u8));
        File(folder, "pair-a"u8, "same bytes"u8);
        File(folder, "pair-b"u8, "same bytes"u8);
        Check(folder.TryLink("pair-a"u8, folder, "pair-c"u8));
        foreach (var (name, target) in ((string, byte[])[])[
            ("dangling", "no/such/thing"u8.ToArray()), ("self", "self"u8.ToArray()), ("loop-a", "loop-b"u8.ToArray()),
            ("loop-b", "loop-a"u8.ToArray()),
            ("up", "../.."u8.ToArray()), ("absolute", "/etc/passwd"u8.ToArray()), ("to-folder", "sub"u8.ToArray()),
            ("long", Enumerable.Repeat((byte)'l', 4_000).ToArray()), ("unicode", "ü-😀"u8.ToArray())])
            Check(folder.TryMakeSymlink(Encoding.UTF8.GetBytes(name), target));
        if (forStockRestic) return;
        Check(folder.TryLink("dangling"u8, folder, "dangling-too"u8));
        Check(folder.TryMakeSymlink("raw"u8, [0xFF, .. "raw"u8, 0xFE]));
    }

    void Attributes(Descriptor root, bool forStockRestic)
    {
        using var folder = Folder(root, "attributes"u8);
        File(folder, "user"u8, "x"u8, file =>
        {
            Check(file.TrySetAttribute("user.note", [0, 0xFF, .. "binary"u8]));
            Check(file.TrySetAttribute("user.empty", []));
            return file.TrySetAttribute("user.a-first", Bytes(2_000));
        });
        // Version 2; user::rw-, user:1000:r--, group::r--, mask::rw-, other::---
        byte[] acl = [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xE8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 6, 0,
            255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255];
        File(folder, "acl"u8, "x"u8, file => file.TrySetAttribute("system.posix_acl_access", acl));
        using (var sub = Folder(folder, "default-acl"u8))
        {
            Check(sub.TrySetAttribute("user.folder", "on a folder"u8));
            File(sub, "made-before"u8, "x"u8);
            Check(sub.TrySetAttribute("system.posix_acl_default", acl));
        }
        if (!AccountNames.IsRoot) return;
        byte[] mayBind = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];   // cap_net_bind_service+ep
        File(folder, "capability"u8, "x"u8,
            file => { file.TrySetPermissions(0x1ED); return file.TrySetAttribute("security.capability", mayBind); });
        if (forStockRestic) return;
        Check(folder.TryMakeSymlink("link-with-attribute"u8, "user"u8));
        Check(folder.TrySetAttributeAt("link-with-attribute"u8, "trusted.note", "on a link"u8));
    }

    static void Specials(Descriptor root)
    {
        using var folder = Folder(root, "specials"u8);
        Check(folder.TryMakeNode("fifo"u8, FileKind.Fifo, 0x1A4, 0));
        if (!AccountNames.IsRoot) return;
        Check(folder.TryMakeNode("block"u8, FileKind.BlockDevice, 0x1A0, FileStatus.DeviceNumber(7, 0)));
        Check(folder.TryMakeNode("char"u8, FileKind.CharDevice, 0x1B6, FileStatus.DeviceNumber(1, 3)));
        Check(folder.TryMakeNode("big-minor"u8, FileKind.CharDevice, 0x1B6, FileStatus.DeviceNumber(200, 70_000)));
    }

    void RandomPart(Descriptor parent, int depth)
    {
        for (var i = _random.Next(2, 6); i > 0; i--)
        {
            var name = Bytes(_random.Next(1, 40));
            for (var b = 0; b < name.Length; b++)
                if (name[b] is 0 or (byte)'/') name[b] = (byte)'_';
            if (name is [(byte)'.'] or [(byte)'.', (byte)'.'] || parent.TryStatAt(name, follow: false, out _) == Errno.None) continue;
            var time = new PosixTime(_random.NextInt64(-2_000_000_000, 7_000_000_000), _random.Next(1_000_000_000));
            if (depth > 0 && _random.Next(3) == 0)
            {
                using var sub = Folder(parent, name);
                RandomPart(sub, depth - 1);
                sub.TrySetPermissions(_random.Next(0x1000) | 0x1C0);
                sub.TrySetTimes(time, time);
            }
            else
            {
                var size = _random.Next(4) == 0 ? _random.Next(300_000) : _random.Next(500);
                File(parent, name, Bytes(size), file
                    =>
                { file.TrySetPermissions(_random.Next(0x1000) | _always); return file.TrySetTimes(time, time); });
            }
        }
    }

    static Descriptor Folder(Descriptor parent, ReadOnlySpan<byte> name)
    {
        Check(parent.TryMakeFolder(name, 0x1ED));
        return parent.OpenAt(name, AFolder);
    }

    static void File(Descriptor parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> content, Func<Descriptor, Errno>? then = null)
    {
        using var file = parent.OpenAt(name, NewFile, 0x1A4);
        file.WriteAt(0, content);
        if (then is not null) Check(then(file));
    }

    void Sparse(Descriptor parent, ReadOnlySpan<byte> name, long sizeBytes, params ReadOnlySpan<(long Offset, int Length)> pieces)
    {
        using var file = parent.OpenAt(name, NewFile, 0x1A4);
        foreach (var (offset, length) in pieces) file.WriteAt(offset, Bytes(length));
        file.SetLength(sizeBytes);
    }

    static void Check(Errno errno)
    {
        if (errno != Errno.None) throw new PosixException("make an odd tree", default, errno);
    }

    byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        _random.NextBytes(bytes);
        return bytes;
    }
}
