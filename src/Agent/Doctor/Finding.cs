namespace BackupDr.Agent.Doctor;

/// <summary>How one check came out.</summary>
public enum Health
{
    /// <summary>As it should be.</summary>
    Good,
    /// <summary>It works, or something is left out; worth a look.</summary>
    Remark,
    /// <summary>Backups of this host do not work so.</summary>
    Bad,
}

/// <summary>One check's outcome.</summary>
/// <param name="Check">What was looked at, one or two words.</param>
/// <param name="Health">How it is.</param>
/// <param name="Text">What was found.</param>
/// <param name="Remedy">What to do; null where all is well.</param>
public sealed record Finding(string Check, Health Health, string Text, string? Remedy = null);
