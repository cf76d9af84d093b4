using BackupDr.Agent.Duties;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Agent.MariaDb;

/// <summary>The binary log of a MariaDB server. Receiving it leaves nothing on the server, which removes its log by its own
/// settings.</summary>
sealed class ServerLog(MariaDbSpec server) : IReceivedLog
{
    const int BeginOfFile = 4;   // behind the magic number
    static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(10), LongestNote = TimeSpan.FromSeconds(30);

    readonly LogSpec _log = server.Log ?? new LogSpec();

    public LogReport Unknown { get; } = new() { IsReceiving = false, Slot = "" };

    public async Task Receive(LogPlace place, IProgress<LogStep> progress, CancellationToken ct)
    {
        var address = ServerPlace.Of(server);
        await ServerPlace.Check(server, address, receivesLog: true, ct);
        using var repository = await place.Open(ct);
        await BinlogReceiver.Run(repository, address, new BinlogReceiverOptions
        {
            HostName = place.HostName,
            Journal = place.Journal,
            FlushEvery = _log.FlushEvery,
            // What is told of the newest moment is as old as both together.
            LookEvery = Shorter(_log.FlushEvery, LongestLook),
            NoteEvery = Shorter(_log.FlushEvery * 3, LongestNote),
        }, new Steps(progress), ct);
    }

    static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;

    public Task Leave(CancellationToken ct) => Task.CompletedTask;

    sealed class Steps(IProgress<LogStep> progress) : IProgress<BinlogProgress>
    {
        public void Report(BinlogProgress value) => progress.Report(new LogStep(new LogReport
        {
            IsReceiving = value.IsReceiving,
            Slot = "",
            SystemIdentifier = value.Server,
            Begin = value.Unbroken is { } log ? At(log.Begin, BeginOfFile) : null,
            Received = value.Unbroken is { } came ? At(came.End, came.Received) : null,
            Stored = value.Unbroken is { } kept ? At(kept.End, kept.Stored) : null,
            SettledAt = value.SettledAt,
        }, value.Event?.Message, value.Event is { IsAlarm: true }));

        static string At(BinlogFile file, long position) => LogPosition.OfBinlog(file.Name, file.CreatedAt, position);
    }
}
