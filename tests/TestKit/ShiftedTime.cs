namespace BackupDr.TestKit;

/// <summary>The clock of a machine whose time of day is wrong: it measures as every other one does.</summary>
/// <param name="ahead">How much later it is there than elsewhere; less than zero for a clock that is behind.</param>
public sealed class ShiftedTime(TimeSpan ahead) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + ahead;
}
