namespace BackupDr.Engine.Format;

/// <summary>The number in a node's <c>mode</c>: permission bits below, Go's bits for the rest above.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-7.5.</remarks>
public static class GoFileMode
{
    const uint Dir = 1u << 31, Symlink = 1u << 27, Device = 1u << 26, Pipe = 1u << 25, Socket = 1u << 24;
    const uint SetUid = 1u << 23, SetGid = 1u << 22, CharDevice = 1u << 21, Sticky = 1u << 20;

    /// <summary>The number for a kind and the low twelve bits of st_mode.</summary>
    public static uint Encode(NodeType type, int permissions)
    {
        var mode = (uint)permissions & 0x1ff;
        if ((permissions & 0x800) != 0) mode |= SetUid;
        if ((permissions & 0x400) != 0) mode |= SetGid;
        if ((permissions & 0x200) != 0) mode |= Sticky;
        return mode | type switch
        {
            NodeType.Dir => Dir,
            NodeType.Symlink => Symlink,
            NodeType.Dev => Device,
            NodeType.CharDev => Device | CharDevice,
            NodeType.Fifo => Pipe,
            NodeType.Socket => Socket,
            _ => 0,
        };
    }

    /// <summary>The low twelve bits of st_mode.</summary>
    public static int Permissions(uint mode) => (int)(mode & 0x1ff)
        | ((mode & SetUid) != 0 ? 0x800 : 0) | ((mode & SetGid) != 0 ? 0x400 : 0) | ((mode & Sticky) != 0 ? 0x200 : 0);
}
