using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Short questions to agents: a row, delivered in the agent's long poll on whichever node it hangs, answered by a post to any
/// node.</summary>
public sealed class AgentQuestions(Postgres db, Notifications notifications, TimeProvider clock)
{
    static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);
    static readonly TimeSpan KeptFor = TimeSpan.FromMinutes(10);

    /// <summary>Key on which the one who asked waits.</summary>
    internal static string AnswerKey(RequestId request) => $"answer:{request}";

    /// <summary>Asks, and waits for the answer.</summary>
    /// <exception cref="UnavailableException">The agent is not online, or did not answer within 15 seconds.</exception>
    /// <exception cref="ConflictException">The agent answered that it cannot; the code is the agent's.</exception>
    internal async Task<FolderListing> Ask(
        HostId host, AgentRequestKind kind, FilePath path, RepositoryId? repository, string? snapshot, CancellationToken ct)
    {
        var answer = await Ask(host, new Question(kind, path, repository, snapshot), ct);
        return answer.Listing ?? throw Failure(answer.Error);
    }

    /// <summary>Asks whether a source can be backed up.</summary>
    /// <exception cref="UnavailableException">The agent is not online, or did not answer within 15 seconds.</exception>
    /// <exception cref="ConflictException">The agent could not look; the code is the agent's.</exception>
    internal async Task<IReadOnlyList<SourceFinding>> Check(HostId host, SourceSpec source, CancellationToken ct)
    {
        var answer = await Ask(host, new Question(AgentRequestKind.CheckSource, Source: source), ct);
        return answer.Findings ?? throw Failure(answer.Error);
    }

    /// <summary>Lets a host carry out a step of a runbook, or tell how far it is.</summary>
    /// <exception cref="UnavailableException">The agent is not online, or did not answer within 15 seconds; whether it began is open.
    /// </exception>
    /// <exception cref="ConflictException">The agent refuses it, and did nothing; the code is the agent's.</exception>
    internal async Task<HostStepReport> Step(HostId host, HostStep step, CancellationToken ct)
    {
        var answer = await Ask(host, new Question(AgentRequestKind.Step, Step: step), ct);
        return answer.Step ?? throw Failure(answer.Error);
    }

    sealed record Question(AgentRequestKind Kind, FilePath Path = default, RepositoryId? Repository = null, string? Snapshot = null,
        SourceSpec? Source = null, HostStep? Step = null);

    async Task<AgentRequestAnswer> Ask(HostId host, Question question, CancellationToken ct)
    {
        var about = await HostTable.Find(db, host, ct) ?? throw new NotFoundException("A host with this id");
        if (about.State == HostState.Retired) throw new ConflictException("host.retired", $"{about.Name} is out of service.",
            "Choose another host.");
        if (about.State == HostState.Waiting) throw new ConflictException("host.waiting", $"{about.Name} waits for approval, and is asked "
            + "nothing before.", "Approve it on its page first.");
        // Whoever was not heard of for so long will not be within the time of an answer either, and a page waits for it. A step is asked
        // all the same: its runbook has the time.
        if (about.State == HostState.Silent && question.Step is null)
            throw new UnavailableException("agent.silent", $"The agent of {about.Name} is not online.",
                "Start it, and see on the Agents page whether it is online.");
        var id = RequestId.New(clock);
        using var waiter = notifications.Listen(AnswerKey(id));
        await using (var tx = await db.Begin(ct))
        {
            await tx.Execute("insert into agent_request (id, host_id, kind, path, repository_id, snapshot_id, source, step) "
                + "values ($1, $2, $3, $4, $5, $6, $7, $8)",
                [id, host, question.Kind, question.Path, question.Repository, question.Snapshot,
                    question.Source is { } source ? JsonText.Of(source, WireJson.Default.SourceSpec) : null,
                    question.Step is { } step ? JsonText.Of(step, WireJson.Default.HostStep) : null], ct);
            await tx.Execute("delete from agent_request where created_at < clock() - $1", [KeptFor], ct);
            await Notifications.WakeHost(tx, host, ct);
            await tx.Commit(ct);
        }
        var start = clock.GetTimestamp();
        while (clock.GetElapsedTime(start) < AgentProtocol.RequestTimeout)
        {
            await waiter.Wait(LookAgain, ct);
            if (await Answer(id, ct) is { } answer) return answer;
        }
        throw new UnavailableException("agent.silent", $"The agent of {about.Name} did not answer within "
            + $"{AgentProtocol.RequestTimeout.TotalSeconds:0} seconds.",
            "See on the Agents page whether it is online.");
    }

    /// <summary>Forgets what was asked about a repository that is detached.</summary>
    internal static Task Forget(Transaction tx, RepositoryId repository, CancellationToken ct)
        => tx.Execute("delete from agent_request where repository_id = $1", [repository], ct);

    Task<AgentRequestAnswer?> Answer(RequestId id, CancellationToken ct)
        => db.First("select answer from agent_request where id = $1", [id], row => row.Json("answer", WireJson.Default.AgentRequestAnswer),
            ct);

    static BackupDrException Failure(Contracts.Jobs.JobError? error) => error is null
        ? new UnavailableException("agent.empty_answer", "The agent answered neither with what was asked for nor with a reason.")
        : new ConflictException(error.Code, error.Message, error.Hint);
}
