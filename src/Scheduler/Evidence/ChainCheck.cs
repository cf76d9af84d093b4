using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Evidence;

/// <summary>What a look through the whole chain found.</summary>
/// <param name="Records">How many records it has.</param>
/// <param name="Hash">Its head.</param>
/// <param name="BrokenAt">The first record that does not fit; null for none.</param>
/// <param name="At">When that was computed.</param>
public sealed record ChainState(long Records, string Hash, long? BrokenAt, DateTimeOffset At);

/// <summary>Whether the whole chain holds. Computing it reads every record, so what was found of a head is shown again for a while: a page
/// of evidence must not read a hundred thousand records for each of its readers.</summary>
public sealed class ChainCheck(Postgres db, TimeProvider clock)
{
    const int AtOnce = 5000;

    /// <summary>How long what was found counts while nothing is appended. Whoever asks for a new look gets one.</summary>
    static readonly TimeSpan Counts = TimeSpan.FromMinutes(5);

    volatile ChainState? _known;

    /// <summary>Computes every link from the start, unless that was just done; the last one must be the chain's head.</summary>
    /// <param name="anew">Computes it in any case.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<ChainState> Of(bool anew, CancellationToken ct)
    {
        var head = await EvidenceTable.Head(db, ct);
        var now = clock.GetUtcNow();
        if (!anew && _known is { BrokenAt: null } known && known.Records == head.Seq && known.Hash == head.Hash && now - known.At < Counts)
            return known;
        return _known = new ChainState(head.Seq, head.Hash, await FirstBroken(head.Seq, head.Hash, ct), now);
    }

    async Task<long?> FirstBroken(long newest, string head, CancellationToken ct)
    {
        var (seq, hash) = (0L, HashChain.Start);
        while (true)
        {
            var records = await db.Query($"{EvidenceTable.Select} where e.seq > $1 and e.seq <= $2 order by e.seq limit $3",
                [seq, newest, AtOnce], EvidenceTable.Read, ct);
            foreach (var one in records)
            {
                if (one.Record.Seq != seq + 1 || one.Hash != (one.Record with { Previous = hash }).Hash) return seq + 1;
                (seq, hash) = (one.Record.Seq, one.Hash);
            }
            if (records.Count < AtOnce) return seq == newest && hash == head ? null : seq + 1;
        }
    }
}
