namespace BackupDr.Contracts.Specs;

/// <summary>Kinds of moments that a cluster can be restored to.</summary>
public enum MomentKind
{
    /// <summary>The end of a base backup: the earliest consistent moment.</summary>
    EndOfBackup,
    /// <summary>As far as the stored log reaches.</summary>
    Latest,
    /// <summary>A time of the server's clock.</summary>
    Time,
    /// <summary>A position in the log.</summary>
    Position,
    /// <summary>A restore point that pg_create_restore_point made.</summary>
    Name,
    /// <summary>The end of a transaction.</summary>
    Transaction,
}

/// <summary>The moment that a cluster is to be restored to: exactly the member that <see cref="Kind"/> names is set.</summary>
public sealed record Moment
{
    /// <summary>What kind.</summary>
    public required MomentKind Kind { get; init; }
    /// <summary>Set for Time.</summary>
    public DateTimeOffset? Time { get; init; }
    /// <summary>Set for Position, as the server writes it: "0/4140DE0".</summary>
    public string? Position { get; init; }
    /// <summary>Set for Name.</summary>
    public string? Name { get; init; }
    /// <summary>Set for Transaction: its number, above 0.</summary>
    public uint? Transaction { get; init; }
    /// <summary>Whether what happened exactly then is part of it; of Time, Position and Transaction. Default true.</summary>
    public bool IsInclusive { get; init; } = true;
}
