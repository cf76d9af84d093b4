using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Whether this control plane is the latest of its installation, as far as this node knows. One that is not starts, removes and
/// changes nothing any more, for good.</summary>
/// <remarks>What one node learns it writes into the database, where the others read it every two seconds; what hands out runs looks there
/// itself.</remarks>
public sealed partial class TermFence(Postgres db, RecoveryKey recovery, AlertBook alerts, ILogger<TermFence> log)
{
    const string Cause = "control-plane:term";

    TermMark? _own;
    LaterTerm? _later;

    /// <summary>Our own term.</summary>
    public TermMark Own => Volatile.Read(ref _own) ?? throw new InvalidOperationException("The term was not loaded.");

    /// <summary>The later control plane; null while this one is the latest that is known.</summary>
    public LaterTerm? Later => Volatile.Read(ref _later);

    /// <summary>Where the terms are, in a location.</summary>
    internal string Folder => Terms.Folder(recovery.Installation);

    /// <summary>Whether a later one is known.</summary>
    public bool IsSuperseded => Later is not null;

    /// <summary>Reads what the nodes of this control plane know.</summary>
    public async Task Read(CancellationToken ct)
    {
        var (own, later) = await TermTable.Read(db, ct);
        if (_own?.Term != own)
            Volatile.Write(ref _own, new TermMark(own, new ExportBox(recovery.Key).TermSeal(recovery.Installation, own)));
        var before = Interlocked.Exchange(ref _later, later);
        if (later is not null && before is null) LogSuperseded(log, later.Sentence, LaterTerm.Way);
    }

    /// <summary>Goes on only where no later control plane is known.</summary>
    /// <exception cref="ConflictException">"control_plane.superseded".</exception>
    public void MustBeLatest()
    {
        if (Later is { } later) throw later.Refusal();
    }

    /// <summary>Goes on only where an agent knows no later control plane either. What it says counts only with the seal of the
    /// installation's recovery key.</summary>
    /// <exception cref="ConflictException">"control_plane.superseded".</exception>
    public async Task MustBeLatest(TermMark? told, HostId host, CancellationToken ct)
    {
        if (told?.Term > Own.Term)
        {
            var name = await db.Scalar<string>("select name from host where id = $1", [host], ct) ?? host.ToString();
            if (IsGenuine(told)) await Learn(told.Term, $"what the agent on {name} was told", ct);
            else LogForged(log, name, told.Term);
        }
        MustBeLatest();
    }

    /// <summary>Whether a run was leased by a control plane before this one. What its agent says of it counts no more.</summary>
    internal bool IsOlder(TermMark? leased) => leased is { Term: > 0 } && leased.Term < Own.Term;

    bool IsGenuine(TermMark told) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(told.Seal),
        Encoding.UTF8.GetBytes(new ExportBox(recovery.Key).TermSeal(recovery.Installation, told.Term)));

    /// <summary>Keeps that a later control plane has begun, and tells people, once.</summary>
    internal async Task Learn(long term, string seenIn, CancellationToken ct)
    {
        await db.InTransaction(async tx =>
        {
            var (own, before) = await TermTable.Read(tx, ct);
            if (!await TermTable.Learn(tx, term, seenIn, ct) || before is not null) return;
            var later = (await TermTable.Read(tx, ct)).Later!;
            await Outbox.Withdraw(tx, ct);   // what this control plane was about to tell is the newer one's to tell
            await alerts.Raise(tx, Alert(later), ct);
            await Notifications.Changed(tx, "storage", null, ct);
            await Audit.Add(tx, Caller.System("term"), "control_plane.superseded", recovery.Installation.ToString(),
                FormattableString.Invariant($"term {own} ends: term {term} was seen in {seenIn}"), ct);
        }, ct);
        await Read(ct);
    }

    static RaisedAlert Alert(LaterTerm later) => new()
    {
        Cause = Cause,
        Kind = AlertKind.Superseded,
        Severity = AlertSeverity.Broken,
        Title = later.Sentence,
        Effect = "The newer control plane protects what this one did. What was done here after its export is not known there.",
        Action = LaterTerm.Way,
        ActionUrl = "/storage#control-plane",
    };

    [LoggerMessage(2241, LogLevel.Error, "{What} {Way}")]
    static partial void LogSuperseded(ILogger log, string what, string way);

    [LoggerMessage(2242, LogLevel.Warning, "The agent on {Host} names term {Term}, and does not show that it has begun: ignored")]
    static partial void LogForged(ILogger log, string host, long term);
}
