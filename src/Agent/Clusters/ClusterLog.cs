using System.Globalization;
using BackupDr.Agent.Duties;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Agent.Clusters;

/// <summary>The log of a PostgreSQL cluster: received through a slot of the item's own.</summary>
sealed class ClusterLog(ItemId item, PostgreSqlSpec cluster) : IReceivedLog
{
    static readonly TimeSpan NoteEvery = TimeSpan.FromSeconds(30);

    readonly LogSpec _log = cluster.Log ?? new LogSpec();

    // The same whoever receives.
    string Slot { get; } = $"backupdr_{item.Value.ToString("N", CultureInfo.InvariantCulture)}";

    public LogReport Unknown => new() { IsReceiving = false, Slot = Slot };

    public async Task Receive(LogPlace place, IProgress<LogStep> progress, CancellationToken ct)
    {
        var address = ClusterAddress.Of(cluster);
        await ClusterAddress.Check(cluster, address, Slot, ct);
        using var repository = await place.Open(ct);
        await WalReceiver.Run(repository, address, new WalReceiverOptions
        {
            HostName = place.HostName,
            Journal = place.Journal,
            Slot = Slot,
            FlushEvery = _log.FlushEvery,
            NoteEvery = NoteEvery,
            SlotLimitBytes = _log.SlotLimitBytes,
            OnSlotLimit = _log.OverLimit == SlotOverLimit.DropSlot ? SlotLimitAction.DropSlot : SlotLimitAction.Alarm,
        }, new Steps(this, progress), ct);
    }

    public Task Leave(CancellationToken ct) => WalReceiver.DropSlot(ClusterAddress.Of(cluster), Slot, ct);

    sealed class Steps(ClusterLog log, IProgress<LogStep> progress) : IProgress<WalProgress>
    {
        public void Report(WalProgress value) => progress.Report(new LogStep(new LogReport
        {
            IsReceiving = value.IsReceiving,
            Slot = log.Slot,
            HeldBytes = value.HeldBytes,
            SystemIdentifier = value.SystemIdentifier,
            Timeline = value.Timeline,
            Begin = value.Begin?.ToString(),
            Received = value.Begin is null ? null : value.Received.ToString(),
            Stored = value.Begin is null ? null : value.Stored.ToString(),
            SettledAt = value.SettledAt,
        }, value.Event?.Message, value.Event is { IsAlarm: true }, value.HeldBytes > log._log.SlotLimitBytes));
    }
}
