using System.Buffers.Binary;
using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Format;

/// <summary>One blob of a pack as its header tells it.</summary>
/// <param name="Type">Data or tree.</param>
/// <param name="Id">SHA-256 of the plain bytes.</param>
/// <param name="Offset">Where the sealed bytes begin in the pack.</param>
/// <param name="Length">Sealed bytes, 32 more than what was encrypted.</param>
/// <param name="PlainLength">Plain bytes of a compressed blob; 0 for one stored as it is.</param>
public readonly record struct PackEntry(BlobType Type, BlobId Id, uint Offset, uint Length, uint PlainLength)
{
    /// <summary>Bytes after decoding.</summary>
    public uint DecodedLength => PlainLength != 0 ? PlainLength : Length - Crypto.SealedBox.Overhead;
}

/// <summary>Reads and writes the decrypted header at the end of a pack.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-5.2. All integers are little-endian; lengths are bytes.</remarks>
public static class PackHeader
{
    const int PlainEntry = 1 + 4 + BlobId.Size, CompressedEntry = PlainEntry + 4;

    /// <summary>Largest sealed header that is read.</summary>
    public const int MaximumLength = 16 << 20;

    /// <summary>Bytes of the header entry of a blob.</summary>
    public static int EntryLength(bool compressed) => compressed ? CompressedEntry : PlainEntry;

    /// <summary>Bytes of a pack with these blobs: blobs, header, its seal and the length field.</summary>
    public static long PackLength(long sealedBytes, long headerBytes) => sealedBytes + headerBytes + Crypto.SealedBox.Overhead + 4;

    /// <summary>Writes the entries in order.</summary>
    public static byte[] Write(IReadOnlyList<PackEntry> entries)
    {
        var size = 0;
        foreach (var entry in entries) size += EntryLength(entry.PlainLength != 0);
        var header = new byte[size];
        var at = header.AsSpan();
        foreach (var entry in entries)
        {
            var compressed = entry.PlainLength != 0;
            at[0] = (byte)((int)entry.Type | (compressed ? 2 : 0));
            BinaryPrimitives.WriteUInt32LittleEndian(at[1..], entry.Length);
            if (compressed) BinaryPrimitives.WriteUInt32LittleEndian(at[5..], entry.PlainLength);
            var length = EntryLength(compressed);
            entry.Id.CopyTo(at.Slice(length - BlobId.Size, BlobId.Size));
            at = at[length..];
        }
        return header;
    }

    /// <summary>Reads the entries; offsets follow from the lengths.</summary>
    /// <exception cref="RepositoryException">An entry has an unknown type, is cut short or lies outside a pack; the message gives its
    /// offset.</exception>
    public static List<PackEntry> Read(ReadOnlySpan<byte> header, string where)
    {
        var entries = new List<PackEntry>(header.Length / PlainEntry);
        uint offset = 0;
        for (var at = 0; at < header.Length;)
        {
            var type = header[at];
            if (type > 3)
                throw RepositoryException.Damaged(where, $"pack header, offset {at}: unknown entry type {type}; expected 0 to 3.");
            var size = EntryLength(type >= 2);
            if (header.Length - at < size)
                throw RepositoryException.Damaged(where, $"pack header, offset {at}: entry needs {size} bytes, {header.Length - at} left.");
            var entry = header.Slice(at, size);
            var length = BinaryPrimitives.ReadUInt32LittleEndian(entry[1..]);
            var plain = type >= 2 ? BinaryPrimitives.ReadUInt32LittleEndian(entry[5..]) : 0;
            if (length < Crypto.SealedBox.Overhead || uint.MaxValue - offset < length)
                throw RepositoryException.Damaged(where, $"pack header, offset {at}: a blob of {length} bytes does not fit.");
            if (type >= 2 && plain == 0)
                throw RepositoryException.Damaged(where, $"pack header, offset {at}: a compressed blob of plain length 0.");
            entries.Add(new PackEntry((BlobType)(type & 1), new BlobId(entry[^BlobId.Size..]), offset, length, plain));
            offset += length;
            at += size;
        }
        return entries;
    }
}
