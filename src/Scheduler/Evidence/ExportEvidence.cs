using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Evidence;

/// <summary>Writes the chain, or a part of it without a gap, as a file that verifies without us.</summary>
public sealed class ExportEvidence(Postgres db, EvidenceKey key)
{
    const int AtOnce = 1000;

    /// <summary>Writes; records that are added meanwhile are not in it.</summary>
    /// <exception cref="BadInputException">The moments are the wrong way round.</exception>
    public async Task Handle(Caller caller, ExportEvidenceRequest request, Stream into, CancellationToken ct)
    {
        caller.Must(Right.EvidenceRead);
        if (request.Since >= request.Until)
            throw new BadInputException("until", "The period ends before it begins.", "Give a later moment as its end.");
        await key.SignOlder(ct);   // a node of an older version may have added records without a signature
        var head = await EvidenceTable.Head(db, ct);
        var (from, to) = await Range(request, head.Seq, ct);
        var previous = await db.First("select hash from evidence where seq = $1", [from - 1], row => row.Text("hash"), ct)
            ?? HashChain.Start;
        var first = EvidenceFile.Head(key.Public, from, previous, await db.Scalar<DateTimeOffset>("select clock()", [], ct));
        await Line(into, first, ct);
        var (count, last) = (0L, previous);
        for (var next = from; next <= to;)
        {
            var records = await db.Query($"{EvidenceTable.Select} where e.seq >= $1 and e.seq <= $2 order by e.seq limit $3",
                [next, to, AtOnce], EvidenceTable.Read, ct);
            if (records.Count == 0) break;
            foreach (var one in records) await Line(into, EvidenceFile.Record(one.Record, one.Hash, one.Signature ?? []), ct);
            (count, last, next) = (count + records.Count, records[^1].Hash, records[^1].Record.Seq + 1);
        }
        var end = EvidenceFile.End(first, count, from + count - 1, last, head.Seq, head.Hash);
        await Line(into, EvidenceFile.EndLine(end, key.Sign(HashChain.Hash(end))), ct);
    }

    /// <summary>Times grow with the numbers, so a period is a stretch of the chain.</summary>
    async Task<(long From, long To)> Range(ExportEvidenceRequest request, long head, CancellationToken ct)
    {
        var from = request.Since is not { } since ? 1
            : await db.Scalar<long?>("select min(seq) from evidence where at >= $1", [since.UtcDateTime], ct) ?? head + 1;
        var to = request.Until is not { } until ? head
            : await db.Scalar<long?>("select max(seq) from evidence where at < $1", [until.UtcDateTime], ct) ?? 0;
        return (from, Math.Min(to, head));
    }

    static async Task Line(Stream into, string text, CancellationToken ct)
        => await into.WriteAsync(Encoding.UTF8.GetBytes(text + "\n"), ct);
}
