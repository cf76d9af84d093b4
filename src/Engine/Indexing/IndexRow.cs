using System.Runtime.InteropServices;
using System.Security.Cryptography;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Indexing;

/// <summary>Where a blob lies, in 48 bytes: id, pack number with the type in its top bit, offset, length, plain length.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
readonly record struct IndexRow(BlobId Id, uint PackAndType, uint Offset, uint Length, uint PlainLength)
{
    public const int Size = 48;
    const uint TreeBit = 1u << 31;

    /// <summary>Makes the row of a blob.</summary>
    public static IndexRow Of(int pack, PackEntry blob) => new(blob.Id, (uint)pack | (blob.Type == BlobType.Tree ? TreeBit : 0),
        blob.Offset, blob.Length, blob.PlainLength);

    /// <summary>Number of the pack in its table.</summary>
    public int Pack => (int)(PackAndType & ~TreeBit);

    /// <summary>The blob's type.</summary>
    public BlobType Type => (PackAndType & TreeBit) != 0 ? BlobType.Tree : BlobType.Data;

    /// <summary>The blob as a pack's header tells it.</summary>
    public PackEntry Entry => new(Type, Id, Offset, Length, PlainLength);

    /// <summary>By id, then type, then pack: the order of a sorted index.</summary>
    public int CompareTo(in IndexRow other)
    {
        var order = Id.CompareTo(other.Id);
        if (order == 0) order = Type.CompareTo(other.Type);
        if (order == 0) order = PackAndType.CompareTo(other.PackAndType);
        return order != 0 ? order : Offset.CompareTo(other.Offset);
    }
}

/// <summary>A block of a sorted index: 85 rows and 16 bytes of SHA-256 over the block's number and the rows.</summary>
static class IndexBlock
{
    public const int Size = 4096, Rows = 85, TagAt = Rows * IndexRow.Size;

    /// <summary>Fills in the tag.</summary>
    public static void Close(Span<byte> block, long number) => Tag(block, number).AsSpan(0, Size - TagAt).CopyTo(block[TagAt..]);

    /// <summary>Whether the block is what was written under this number.</summary>
    public static bool IsWhole(ReadOnlySpan<byte> block, long number)
        => block[TagAt..].SequenceEqual(Tag(block, number).AsSpan(0, Size - TagAt));

    static byte[] Tag(ReadOnlySpan<byte> block, long number)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> numbered = stackalloc byte[8];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(numbered, number);
        hash.AppendData(numbered);
        hash.AppendData(block[..TagAt]);
        return hash.GetHashAndReset();
    }

    /// <summary>The rows of a block of which <paramref name="count"/> are used.</summary>
    public static ReadOnlySpan<IndexRow> RowsOf(ReadOnlySpan<byte> block, int count)
        => MemoryMarshal.Cast<byte, IndexRow>(block[..TagAt])[..count];
}
