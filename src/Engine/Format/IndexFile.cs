using System.Text.Json;
using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Format;

/// <summary>A pack and all its blobs.</summary>
/// <param name="Id">The pack's name.</param>
/// <param name="Blobs">All of them; never a part.</param>
public sealed record IndexedPack(BlobId Id, IReadOnlyList<PackEntry> Blobs);

/// <summary>All that an index file says.</summary>
/// <param name="Packs">Its packs.</param>
/// <param name="OnHold">Packs that rustic has marked for deletion: not free to use, and not ours to delete.</param>
/// <param name="HoldJson">The raw list of these, to be written back as it was; null where there is none.</param>
public sealed record IndexContent(List<IndexedPack> Packs, List<BlobId> OnHold, byte[]? HoldJson);

/// <summary>Reads and writes the JSON of an index file.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-6.2 and F-6.3.</remarks>
public static class IndexFile
{
    /// <summary>The JSON of these packs.</summary>
    public static ReadOnlyMemory<byte> Write(IReadOnlyList<IndexedPack> packs, byte[]? holdJson = null)
    {
        var json = new GoJson(1 << 16).Open('{').Name("packs"u8).Open('[');
        foreach (var pack in packs)
        {
            json.Open('{').Name("id"u8).Id(pack.Id).Name("blobs"u8).Open('[');
            foreach (var blob in pack.Blobs)
            {
                json.Open('{').Name("id"u8).Id(blob.Id).Name("type"u8).Text(blob.Type == BlobType.Tree ? "tree"u8 : "data"u8)
                    .Name("offset"u8).Number((ulong)blob.Offset).Name("length"u8).Number((ulong)blob.Length);
                if (blob.PlainLength != 0) json.Name("uncompressed_length"u8).Number((ulong)blob.PlainLength);
                json.Close('}');
            }
            json.Close(']').Close('}');
        }
        json.Close(']');
        if (holdJson is not null) json.Name("packs_to_delete"u8).Verbatim(holdJson);
        return json.Close('}').Written;
    }

    /// <summary>Reads the packs of the JSON.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static List<IndexedPack> Read(ReadOnlySpan<byte> json, string where) => ReadAll(json, where).Packs;

    /// <summary>Reads the JSON.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static IndexContent ReadAll(ReadOnlySpan<byte> json, string where)
    {
        var input = new JsonInput(json, where);
        var (packs, onHold) = (new List<IndexedPack>(), new List<BlobId>());
        byte[]? holdJson = null;
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("packs_to_delete"u8) && !input.IsNull)
            {
                holdJson = input.Raw(json);
                onHold.AddRange(ReadHold(holdJson, where));
            }
            if (!member.SequenceEqual("packs"u8) || input.IsNull) { input.Skip(); continue; }
            input.Expect(JsonTokenType.StartArray);
            while (input.NextElement()) packs.Add(ReadPack(ref input));
        }
        input.End();
        return new IndexContent(packs, onHold, holdJson);
    }

    static List<BlobId> ReadHold(byte[] json, string where)
    {
        var input = new JsonInput(json, where);
        var ids = new List<BlobId>();
        input.Next();
        input.Expect(JsonTokenType.StartArray);
        while (input.NextElement())
        {
            input.Expect(JsonTokenType.StartObject);
            while (input.NextMember(out var member))
            {
                if (member.SequenceEqual("id"u8)) ids.Add(input.Id());
                else input.Skip();
            }
        }
        return ids;
    }

    static IndexedPack ReadPack(ref JsonInput input)
    {
        input.Expect(JsonTokenType.StartObject);
        BlobId? id = null;
        var blobs = new List<PackEntry>();
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("id"u8)) id = input.Id();
            else if (member.SequenceEqual("blobs"u8) && !input.IsNull)
            {
                input.Expect(JsonTokenType.StartArray);
                while (input.NextElement()) blobs.Add(ReadBlob(ref input));
            }
            else input.Skip();
        }
        return new IndexedPack(id ?? throw input.Bad("a pack without id"), blobs);
    }

    static PackEntry ReadBlob(ref JsonInput input)
    {
        input.Expect(JsonTokenType.StartObject);
        BlobId? id = null;
        BlobType? type = null;
        uint offset = 0, length = 0, plain = 0;
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("id"u8)) id = input.Id();
            else if (member.SequenceEqual("type"u8))
                type = input.Text() switch
                {
                    "data" => BlobType.Data,
                    "tree" => BlobType.Tree,
                    var other => throw input.Bad($"unknown type of blob '{other}'"),
                };
            else if (member.SequenceEqual("offset"u8)) offset = input.Unsigned32();
            else if (member.SequenceEqual("length"u8)) length = input.Unsigned32();
            else if (member.SequenceEqual("uncompressed_length"u8)) plain = input.Unsigned32();
            else input.Skip();
        }
        if (id is null || type is null || length < Crypto.SealedBox.Overhead || uint.MaxValue - offset < length)
            throw input.Bad("a blob that is not described wholly");
        return new PackEntry(type.Value, id.Value, offset, length, plain);
    }
}
