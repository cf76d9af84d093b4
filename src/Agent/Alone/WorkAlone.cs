using BackupDr.Contracts.Agents;
using BackupDr.Storage.Posix;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent.Alone;

/// <summary>What whoever asks nodes for work has to know of the work without them.</summary>
public sealed partial class WorkAlone(Contact contact, Meeting meeting, AloneLoop loop, ItemTurns turns, AlonePlans plans,
    AloneLedger ledger, ILogger<WorkAlone> log)
{
    /// <summary>Whether nodes answer.</summary>
    public Contact Contact => contact;
    /// <summary>Tells what was done alone, and asks what may be.</summary>
    public Meeting Meeting => meeting;
    /// <summary>Works alone.</summary>
    public AloneLoop Loop => loop;
    /// <summary>The turns of items.</summary>
    public ItemTurns Turns => turns;

    /// <summary>A node handed a backup out: its nominal time is not made alone, nor what comes while it is under way. Called at its
    /// begin and at its end.</summary>
    public void Handed(LeasedItem of)
    {
        if (of.NominalAt is not { } nominal || !plans.Kept.Plan.Parts.Any(part => part.Item == of.Item)) return;
        try { ledger.Cover(of.Item, nominal, TimeProvider.System.GetUtcNow()); }
        // The backup matters more than the note about it. At worst it is made once more alone.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PosixException) { LogUnnoted(log, e.Message); }
    }

    [LoggerMessage(3431, LogLevel.Warning, "It cannot be noted that a node handed a backup out: {Reason}")]
    static partial void LogUnnoted(ILogger log, string reason);
}
