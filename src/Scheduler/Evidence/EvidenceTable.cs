using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Evidence;

/// <summary>A record as it is stored, with the hash of the record before it as that one states it.</summary>
sealed record StoredEvidence(EvidenceRecord Record, EvidenceId Id, DateTimeOffset At, string Hash, byte[]? Signature);

/// <summary>Reads the records.</summary>
static class EvidenceTable
{
    public const string Select = """
        select e.seq, e.id, e.at, e.kind, e.subject, e.body, e.hash, e.signature,
            coalesce((select b.hash from evidence b where b.seq = e.seq - 1), repeat('0', 64)) as previous
        from evidence e
        """;

    public static StoredEvidence Read(Row row)
    {
        var (id, at) = (row.Id<EvidenceId>("id"), row.Time("at"));
        return new StoredEvidence(new EvidenceRecord(row.Long("seq"), row.Text("previous"), id.ToString(), HashChain.Moment(at),
            row.Text("kind"), row.Text("subject"), row.Text("body")), id, at, row.Text("hash"), row.BytesOrNull("signature"));
    }

    /// <summary>The chain's last link.</summary>
    public static async Task<(long Seq, string Hash)> Head(SqlSource source, CancellationToken ct)
        => await source.First("select seq, hash from chain_head where chain = 'evidence'", [],
            row => (row.Long("seq"), row.Text("hash")), ct);
}
