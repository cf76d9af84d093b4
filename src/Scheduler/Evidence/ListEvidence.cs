using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Evidence;

/// <summary>A page of the evidence, newest first, and whether the whole chain still holds.</summary>
public sealed class ListEvidence(Postgres db, EvidenceKey key, ChainCheck chain)
{
    const int LargestPage = 200;

    /// <summary>Lists.</summary>
    public async Task<EvidencePage> Handle(Caller caller, ListEvidenceRequest request, CancellationToken ct)
    {
        caller.Must(Right.EvidenceRead);
        var limit = Math.Clamp(request.Limit, 1, LargestPage);
        var (records, hash, brokenAt, at) = await chain.Of(request.Anew, ct);
        var entries = await db.Query($"""
            {EvidenceTable.Select}
            where e.seq < $1 and ($3::text is null or e.subject = $3) and ($4::text is null or e.kind = $4)
              and ($5::timestamptz is null or e.at >= $5) and ($6::timestamptz is null or e.at < $6)
              and ($7::text is null or e.body::jsonb->>'run' = $7) and ($8::text is null or e.body::jsonb->>'point' = $8)
            order by e.seq desc limit $2
            """, [request.Before ?? long.MaxValue, limit, request.Subject, request.Kind, request.Since?.UtcDateTime,
                request.Until?.UtcDateTime, request.Run?.ToString(), request.Point?.ToString()], row => Entry(EvidenceTable.Read(row)), ct);
        return new EvidencePage
        {
            Entries = entries,
            Next = entries.Count == limit ? entries[^1].Seq : null,
            ChainIsWhole = brokenAt is null,
            BrokenAt = brokenAt,
            CheckedAt = at,
            Records = records,
            Hash = hash,
            Key = Facts(key),
        };
    }

    internal static EvidenceEntry Entry(StoredEvidence one) => new()
    {
        Seq = one.Record.Seq,
        Id = one.Id,
        At = one.At,
        Kind = one.Record.Kind,
        Subject = one.Record.Subject,
        Body = Body(one.Record.Body),
        Hash = one.Hash,
        Previous = one.Record.Previous,
    };

    internal static EvidenceKeyFacts Facts(EvidenceKey key) => new(key.Fingerprint,
        new string(System.Security.Cryptography.PemEncoding.Write("PUBLIC KEY", key.Public)) + "\n");

    /// <summary>A body that somebody broke is shown as one without facts: the chain says that it was changed.</summary>
    static EvidenceBody Body(string text)
    {
        try { return JsonSerializer.Deserialize(text, WireJson.Default.EvidenceBody) ?? new EvidenceBody(); }
        catch (JsonException) { return new EvidenceBody { Reason = "The facts of this record cannot be read." }; }
    }
}

/// <summary>One record, its hash, links and signature computed anew.</summary>
public sealed class ShowEvidence(Postgres db, EvidenceKey key)
{
    /// <summary>Shows.</summary>
    public async Task<EvidenceEntry> Handle(Caller caller, ShowEvidenceRequest request, CancellationToken ct)
    {
        caller.Must(Right.EvidenceRead);
        var one = await db.First($"{EvidenceTable.Select} where e.id = $1", [request.Id], EvidenceTable.Read, ct)
            ?? throw new NotFoundException("Evidence with this id");
        var before = one.Record.Seq == 1 ? null
            : await db.First($"{EvidenceTable.Select} where e.seq = $1", [one.Record.Seq - 1], EvidenceTable.Read, ct);
        var after = await db.First($"{EvidenceTable.Select} where e.seq = $1", [one.Record.Seq + 1], EvidenceTable.Read, ct);
        var head = await EvidenceTable.Head(db, ct);
        var goesOn = one.Record.Seq == 1 || before is not null && before.Record.Hash == before.Hash;
        var isFollowed = after is not null ? after.Record.Hash == after.Hash
            : head.Seq == one.Record.Seq && head.Hash == one.Hash;
        return ListEvidence.Entry(one) with
        {
            State = new EvidenceState(one.Record.Hash == one.Hash, goesOn && isFollowed,
                one.Signature is { } signature && key.Fits(one.Hash, signature)),
        };
    }
}
