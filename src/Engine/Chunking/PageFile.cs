using System.Buffers.Binary;

namespace BackupDr.Engine.Chunking;

/// <summary>Recognises files whose pages are changed in place: databases and disk images.</summary>
/// <remarks>
/// A wrong yes costs some deduplication, a wrong no some growth; neither costs data. Sources: PostgreSQL storage page layout, MySQL
/// file space header, SQLite file format §1.3, qcow2 and VMDK specifications.
/// </remarks>
public static class PageFile
{
    /// <summary>How many bytes from a file's start <see cref="IsOne"/> looks at.</summary>
    public const int HeadBytes = 2 * PostgresPage;

    /// <summary>Files below this many bytes are not looked at: they are a chunk or two in any case.</summary>
    public const int SmallestBytes = 128 << 10;

    const int PostgresPage = 8 << 10, InnoDbPage = 16 << 10;
    const int InnoDbFileHeader = 8;   // FIL_PAGE_TYPE_FSP_HDR

    /// <summary>Whether a file is one.</summary>
    /// <param name="name">Its name without folders.</param>
    /// <param name="sizeBytes">Its length.</param>
    /// <param name="head">Its first bytes, <see cref="HeadBytes"/> where it has as many.</param>
    public static bool IsOne(ReadOnlySpan<byte> name, long sizeBytes, ReadOnlySpan<byte> head)
    {
        if (sizeBytes < SmallestBytes || head.Length < HeadBytes) return false;
        return head.StartsWith("SQLite format 3\0"u8) || head.StartsWith((ReadOnlySpan<byte>)[(byte)'Q', (byte)'F', (byte)'I', 0xfb])
            || head.StartsWith("KDMV"u8) || IsPostgres(sizeBytes, head)
            || IsInnoDb(name, sizeBytes, head) || IsRawDisk(name, sizeBytes, head);
    }

    static bool IsPostgres(long sizeBytes, ReadOnlySpan<byte> head)
        => sizeBytes % PostgresPage == 0 && IsPostgresPage(head) && IsPostgresPage(head[PostgresPage..]);

    static bool IsPostgresPage(ReadOnlySpan<byte> page)
    {
        var (lower, upper, special) = (Half(page, 12), Half(page, 14), Half(page, 16));
        return Half(page, 18) == (PostgresPage | 4) && lower >= 24 && lower <= upper && upper <= special && special <= PostgresPage;
    }

    static int Half(ReadOnlySpan<byte> page, int at) => BinaryPrimitives.ReadUInt16LittleEndian(page[at..]);

    static bool IsInnoDb(ReadOnlySpan<byte> name, long sizeBytes, ReadOnlySpan<byte> head)
        => (name.EndsWith(".ibd"u8) || name.StartsWith("ibdata"u8)) && sizeBytes % InnoDbPage == 0
            && BinaryPrimitives.ReadUInt32BigEndian(head[4..]) == 0 && BinaryPrimitives.ReadUInt16BigEndian(head[24..]) == InnoDbFileHeader;

    static bool IsRawDisk(ReadOnlySpan<byte> name, long sizeBytes, ReadOnlySpan<byte> head)
        => (name.EndsWith(".img"u8) || name.EndsWith(".raw"u8)) && sizeBytes % 512 == 0 && head[510] == 0x55 && head[511] == 0xaa;
}
