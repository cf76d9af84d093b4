using System.Security.Cryptography;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Components;

/// <summary>A blob as it is and as it is stored.</summary>
/// <param name="Plain">Its bytes.</param>
/// <param name="Box">The sealed form.</param>
/// <param name="Entry">What a pack's header would say of it; the offset is 0.</param>
sealed record SealedBlob(ReadOnlyMemory<byte> Plain, byte[] Box, PackEntry Entry)
{
    /// <summary>The blobs of these pieces, each content once.</summary>
    public static List<SealedBlob> Of(IEnumerable<ReadOnlyMemory<byte>> pieces, BlobWorkbench bench)
    {
        var seen = new HashSet<BlobId>();
        var blobs = new List<SealedBlob>();
        foreach (var piece in pieces)
        {
            var id = new BlobId(SHA256.HashData(piece.Span));
            if (!seen.Add(id)) continue;
            var box = bench.Seal(BlobType.Data, piece.Span, out var plainLength).ToArray();
            blobs.Add(new SealedBlob(piece, box, new PackEntry(BlobType.Data, id, 0, (uint)box.Length, plainLength)));
        }
        return blobs;
    }

    /// <summary>Their sealed bytes, one after another, in pieces of at least so many bytes; the last may be shorter.</summary>
    public static List<ReadOnlyMemory<byte>> Packs(List<SealedBlob> blobs, int packBytes)
    {
        var packs = new List<ReadOnlyMemory<byte>>();
        var pack = new MemoryStream();
        foreach (var blob in blobs)
        {
            pack.Write(blob.Box);
            if (pack.Length < packBytes) continue;
            packs.Add(pack.ToArray());
            pack.SetLength(0);
        }
        if (pack.Length > 0) packs.Add(pack.ToArray());
        return packs;
    }
}
