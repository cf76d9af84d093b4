namespace BackupDr.Contracts.Rules.Retention;

/// <summary>Why a recovery point stays. The first six are those of <see cref="KeepUnit"/>.</summary>
public enum KeepReason
{
    /// <summary>One of the newest.</summary>
    Last = KeepUnit.Last,
    /// <summary>The newest of its hour.</summary>
    Hourly = KeepUnit.Hourly,
    /// <summary>The newest of its day.</summary>
    Daily = KeepUnit.Daily,
    /// <summary>The newest of its ISO week.</summary>
    Weekly = KeepUnit.Weekly,
    /// <summary>The newest of its month.</summary>
    Monthly = KeepUnit.Monthly,
    /// <summary>The newest of its year.</summary>
    Yearly = KeepUnit.Yearly,
    /// <summary>Young enough.</summary>
    Within,
    /// <summary>Without it there were fewer complete ones than the floor asks for.</summary>
    Floor,
    /// <summary>The newest complete one never goes.</summary>
    NewestComplete,
    /// <summary>The newest one that a test restore proved never goes.</summary>
    LastProven,
    /// <summary>Somebody put a legal hold on it.</summary>
    LegalHold,
    /// <summary>The item's retention is on hold because something about a new point was unusual.</summary>
    ItemHold,
    /// <summary>Somebody took it out of the trash.</summary>
    TakenOut,
    /// <summary>There are no rules, so everything stays.</summary>
    NoRules,
    /// <summary>Nobody may remove anything from its repository.</summary>
    NobodyMayForget,
    /// <summary>Nothing else leads into the unbroken log behind it, which is kept.</summary>
    BeginsLog,
}
