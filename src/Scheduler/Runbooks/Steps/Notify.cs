using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>Tells people, through the channels that alerts go by: the message is written with an id made from the activity, so that twice
/// is once, and sent and sent again by the nodes as alerts are. The step is done when it is written.</summary>
public sealed class Notify(Postgres db) : IStepExecutor
{
    /// <inheritdoc/>
    public StepKind Kind => StepKind.Notify;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
    {
        if (StepChecks.Problem(work.Step) is not null) return [];   // told on saving, or variables are missing still
        var (to, wrong) = Chosen(work.Step.Notify!, await ChannelTable.All(db, ct));
        var place = $"steps.{work.Step.Name}.notify.channels";
        return wrong is not null ? [new(place, wrong, "The names are those on the page Channels.")]
            : to.Count == 0 ? [new(place, "There is nobody to tell.", "Add a channel, or let a paused one go on.")] : [];
    }

    /// <inheritdoc/>
    public async Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
    {
        if (StepChecks.Problem(work.Step) is { } problem) return problem;
        if (work.Activity is StepActivity.Compensate or StepActivity.CleanUp) return StepResult.Done("What was told stays told.");
        var notify = work.Step.Notify!;
        var (to, wrong) = Chosen(notify, await ChannelTable.All(db, ct));
        if (wrong is not null) return StepResult.Failed($"{wrong} Nobody was told.");
        if (to.Count == 0) return StepResult.Failed("There is no channel that is not paused, so nobody was told.");
        var names = string.Join(", ", to.Select(channel => channel.Name));
        if (work.Activity == StepActivity.Simulate) return StepResult.Done($"Not told: it would go to {names}.");
        var subject = work.Mode == ExecutionMode.Rehearsal ? $"Rehearsal: {notify.Subject}" : notify.Subject;
        await db.InTransaction(async tx =>
        {
            foreach (var channel in to) await Outbox.Say(tx, channel.Id, MessageText.Runbook(IdOf(work, channel.Id), subject, notify.Text
                ?? $"The runbook {work.Runbook} says so, in the execution {work.Execution}."), ct);
        }, ct);
        return StepResult.Done($"Told {names}.", new Dictionary<string, string>
        {
            ["channels"] = names,
            ["messages"] = string.Join(' ', to.Select(channel => IdOf(work, channel.Id).ToString())),
        });
    }

    static (IReadOnlyList<AlertChannel> To, string? Wrong) Chosen(NotifySpec notify, IReadOnlyList<AlertChannel> all)
    {
        var able = all.Where(channel => channel.Kind != ChannelKind.DeadMan).ToList();
        if (notify.Channels.Count == 0) return ([.. able.Where(channel => !channel.IsPaused)], null);
        foreach (var name in notify.Channels)
        {
            if (able.Find(channel => Same(channel.Name, name)) is not { } found)
                return ([], $"There is no channel '{name}' that people are told by.");
            if (found.IsPaused) return ([], $"The channel '{name}' is paused.");
        }
        return ([.. able.Where(channel => notify.Channels.Any(name => Same(channel.Name, name)))], null);
    }

    static bool Same(string one, string other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    /// <summary>The same for the same activity and channel (RFC 9562, version 8).</summary>
    static MessageId IdOf(StepWork work, ChannelId channel)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{work.IdempotencyKey} {channel}"));
        hash[6] = (byte)(hash[6] & 0x0f | 0x80);
        hash[8] = (byte)(hash[8] & 0x3f | 0x80);
        return new MessageId(new Guid(hash.AsSpan(0, 16), bigEndian: true));
    }
}
