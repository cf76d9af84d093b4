using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Sources.PostgreSql;

/// <summary>Kinds of moments that a cluster can be restored to.</summary>
public enum TargetKind
{
    /// <summary>As far as the log reaches.</summary>
    Latest,
    /// <summary>The end of the base backup: the earliest consistent moment.</summary>
    EndOfBackup,
    /// <summary>A time of the server's clock.</summary>
    Time,
    /// <summary>A position in the log.</summary>
    Position,
    /// <summary>A restore point that was made with pg_create_restore_point.</summary>
    Name,
    /// <summary>A transaction.</summary>
    Transaction,
}

/// <summary>The moment that a cluster is to be restored to.</summary>
public sealed record RecoveryTarget
{
    /// <summary>What kind.</summary>
    public TargetKind Kind { get; private init; }
    /// <summary>Set for Time.</summary>
    public DateTimeOffset Time { get; private init; }
    /// <summary>Set for Position.</summary>
    public Lsn Position { get; private init; }
    /// <summary>Set for Name.</summary>
    public string Name { get; private init; } = "";
    /// <summary>Set for Transaction.</summary>
    public uint Xid { get; private init; }
    /// <summary>Whether what happened exactly then is part of it; of Time, Position and Transaction. Default true.</summary>
    public bool IsInclusive { get; init; } = true;
    /// <summary>Timeline to follow; null for the newest.</summary>
    public uint? Timeline { get; init; }

    /// <summary>As far as the log reaches.</summary>
    public static RecoveryTarget Latest { get; } = new() { Kind = TargetKind.Latest };
    /// <summary>The end of the base backup.</summary>
    public static RecoveryTarget EndOfBackup { get; } = new() { Kind = TargetKind.EndOfBackup };
    /// <summary>A time.</summary>
    public static RecoveryTarget At(DateTimeOffset time) => new() { Kind = TargetKind.Time, Time = time.ToUniversalTime() };
    /// <summary>A position.</summary>
    public static RecoveryTarget At(Lsn position) => new() { Kind = TargetKind.Position, Position = position };
    /// <summary>A restore point.</summary>
    public static RecoveryTarget Named(string name) => new() { Kind = TargetKind.Name, Name = name };
    /// <summary>A transaction.</summary>
    public static RecoveryTarget Of(uint xid) => new() { Kind = TargetKind.Transaction, Xid = xid };

    /// <summary>Reads a time with a zone: "2026-11-21 03:15:05+00", "2026-11-21T03:15:05.123456Z".</summary>
    /// <exception cref="BadInputException">It is none, or has no zone.</exception>
    public static RecoveryTarget ParseTime(string text, string option)
    {
        var body = text.Trim();
        var zone = body.Length > 10 ? body.AsSpan(10).IndexOfAny("Z+-") : -1;
        if (zone >= 0 && DateTimeOffset.TryParse(body, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            return At(time);
        throw new BadInputException(option, $"{option}: '{text}' is no time with a zone.",
            "Write it as 2026-11-21 03:15:05+00 or 2026-11-21T03:15:05Z.");
    }

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        TargetKind.Latest => "the end of the log",
        TargetKind.EndOfBackup => "the end of the base backup",
        TargetKind.Time => TimeText,
        TargetKind.Position => Position.ToString(),
        TargetKind.Name => $"restore point '{Name}'",
        TargetKind.Transaction => $"transaction {Xid}",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    internal string TimeText => Time.ToString("yyyy-MM-dd HH:mm:ss.ffffff'+00'", CultureInfo.InvariantCulture);
}
