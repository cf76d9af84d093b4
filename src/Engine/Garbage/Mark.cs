using System.Text.Json;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;

namespace BackupDr.Engine.Garbage;

/// <summary>Why a pack was marked.</summary>
enum MarkReason
{
    /// <summary>No snapshot needs any of its blobs.</summary>
    Unused,
    /// <summary>What is needed of it was copied into a new pack.</summary>
    Repacked,
    /// <summary>No index names it.</summary>
    Orphan,
}

/// <summary>A marked pack.</summary>
readonly record struct MarkedPack(BlobId Id, MarkReason Reason);

/// <summary>Packs that one prune found to be garbage. They stay until a sweep.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-12.2.</remarks>
/// <param name="Id">Name of the stored object.</param>
/// <param name="Created">When, by the clock of whoever made it.</param>
/// <param name="Packs">The packs.</param>
sealed record Mark(BlobId Id, UnixTime Created, IReadOnlyList<MarkedPack> Packs)
{
    static readonly string[] Words = ["unused", "repacked", "orphan"];

    /// <summary>The JSON.</summary>
    public byte[] Write()
    {
        var json = new GoJson().Open('{').Name("created"u8).Text(GoTime.Format(Created)).Name("packs"u8).Open('[');
        foreach (var pack in Packs)
            json.Open('{').Name("id"u8).Id(pack.Id).Name("reason"u8).Text(Words[(int)pack.Reason]).Close('}');
        return json.Close(']').Close('}').Written.ToArray();
    }

    /// <summary>Reads the JSON.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static Mark Read(ReadOnlySpan<byte> json, BlobId id)
    {
        var input = new JsonInput(json, $"mark {id}");
        UnixTime? created = null;
        var packs = new List<MarkedPack>();
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("created"u8)) created = input.Time();
            else if (member.SequenceEqual("packs"u8))
            {
                input.Expect(JsonTokenType.StartArray);
                while (input.NextElement()) packs.Add(ReadPack(ref input));
            }
            else input.Skip();
        }
        input.End();
        return new Mark(id, created ?? throw input.Bad("a mark without its time"), packs);
    }

    static MarkedPack ReadPack(ref JsonInput input)
    {
        input.Expect(JsonTokenType.StartObject);
        BlobId? id = null;
        var reason = -1;
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("id"u8)) id = input.Id();
            else if (member.SequenceEqual("reason"u8)) reason = Array.IndexOf(Words, input.Text());
            else input.Skip();
        }
        return id is null || reason < 0 ? throw input.Bad("a pack without id or known reason")
            : new MarkedPack(id.Value, (MarkReason)reason);
    }
}

/// <summary>Who was at work after a mark was durable: whoever may still count on its packs.</summary>
/// <param name="Id">Name of the stored object.</param>
/// <param name="Mark">The mark.</param>
/// <param name="Locks">The owners of all locks that were there.</param>
sealed record Witnesses(BlobId Id, BlobId Mark, IReadOnlyList<LockIdentity> Locks)
{
    /// <summary>The JSON.</summary>
    public byte[] Write()
    {
        var json = new GoJson().Open('{').Name("mark"u8).Id(Mark).Name("locks"u8).Open('[');
        foreach (var owner in Locks)
            json.Open('{').Name("hostname"u8).Text(owner.HostName).Name("username"u8).Text(owner.UserName)
                .Name("pid"u8).Number((long)owner.Pid).Close('}');
        return json.Close(']').Close('}').Written.ToArray();
    }

    /// <summary>Reads the JSON.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static Witnesses Read(ReadOnlySpan<byte> json, BlobId id)
    {
        var input = new JsonInput(json, $"witness {id}");
        BlobId? mark = null;
        List<LockIdentity>? locks = null;
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("mark"u8)) mark = input.Id();
            else if (member.SequenceEqual("locks"u8))
            {
                input.Expect(JsonTokenType.StartArray);
                locks = [];
                while (input.NextElement()) locks.Add(ReadOwner(ref input));
            }
            else input.Skip();
        }
        input.End();
        return mark is null || locks is null ? throw input.Bad("a witness without mark or locks") : new Witnesses(id, mark.Value, locks);
    }

    static LockIdentity ReadOwner(ref JsonInput input)
    {
        input.Expect(JsonTokenType.StartObject);
        var owner = new LockIdentity("", "", 0);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("hostname"u8)) owner = owner with { HostName = input.Text() };
            else if (member.SequenceEqual("username"u8)) owner = owner with { UserName = input.Text() };
            else if (member.SequenceEqual("pid"u8)) owner = owner with { Pid = (int)Math.Min(input.Unsigned(), int.MaxValue) };
            else input.Skip();
        }
        return owner;
    }
}
