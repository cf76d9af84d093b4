namespace BackupDr.Contracts.Api;

/// <summary>POST audit/verify.</summary>
public sealed record VerifyAuditRequest;

/// <summary>Whether the audit log is as it was written.</summary>
public sealed record AuditVerdict
{
    /// <summary>Entries that there are.</summary>
    public required long Entries { get; init; }
    /// <summary>Number of the last entry, as the head of the chain says.</summary>
    public required long Head { get; init; }
    /// <summary>Hash of the last entry, as the head of the chain says.</summary>
    public required string HeadHash { get; init; }
    /// <summary>Heads that the evidence recorded, each of which was compared.</summary>
    public required int Anchors { get; init; }
    /// <summary>What is wrong, first things first; none where all is as it was written.</summary>
    public required IReadOnlyList<AuditProblem> Problems { get; init; }
}

/// <summary>Something that was done to the log from outside.</summary>
/// <param name="Entry">Number of the entry.</param>
/// <param name="Text">What was done, one sentence.</param>
public sealed record AuditProblem(long Entry, string Text);

/// <summary>GET audit/export: all entries as lines of JSON that verify without a node.</summary>
public sealed record ExportAuditRequest;
