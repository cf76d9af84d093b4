using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Short questions to agents: a row, delivered in the agent's long poll on whichever node it hangs, answered by a post to any node.</summary>
public sealed class AgentQuestions(Postgres db, Notifications notifications, TimeProvider clock)
{
    static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>Key on which the one who asked waits.</summary>
    internal static string AnswerKey(RequestId request) => $"answer:{request}";

    /// <summary>Asks, and waits for the answer.</summary>
    /// <exception cref="UnavailableException">The agent did not answer within 15 seconds.</exception>
    /// <exception cref="NotFoundException">The agent answered that there is no such folder.</exception>
    public async Task<FolderListing> Ask(HostId host, AgentRequestKind kind, FilePath path, RepositoryId? repository, string? snapshot, CancellationToken ct)
    {
        var id = RequestId.New(clock);
        var since = clock.GetTimestamp();
        using var told = notifications.Listen(AnswerKey(id));
        await db.InTransaction(async tx =>
        {
            await tx.Execute("insert into agent_request (id, host_id, kind, path, repository_id, snapshot_id) values ($1, $2, $3, $4, $5, $6)", [id.Value, host.Value, kind.ToString(), path.ToString(), repository?.Value, snapshot], ct);
            await tx.Execute("delete from agent_request where created_at < clock() - interval '10 minutes'", [], ct);
            await Notifications.WakeHost(tx, host, ct);
        }, ct);
        while (clock.GetElapsedTime(since) < AgentProtocol.RequestTimeout)
        {
            if (await Answer(id, ct) is { } answer)
                return answer.Listing ?? throw Failure(answer.Error);
            await told.Wait(LookAgain, ct);
        }
        throw new UnavailableException("agent.silent", $"The agent did not answer within {AgentProtocol.RequestTimeout.TotalSeconds:0} seconds.", "Check on the Agents page whether the host is online.");
    }

    async Task<AgentRequestAnswer?> Answer(RequestId id, CancellationToken ct)
    {
        var json = await db.First("select answer from agent_request where id = $1", [id.Value], row => row.TextOrNull(0), ct);
        return json is null ? null : JsonSerializer.Deserialize(json, WireJson.Default.AgentRequestAnswer);
    }

    static BackupDrException Failure(JobError? error) => error is null
        ? new UnavailableException("agent.answer", "The agent answered neither with a listing nor with a reason.")
        : new ConflictException(error.Code, error.Message, error.Hint);
}
