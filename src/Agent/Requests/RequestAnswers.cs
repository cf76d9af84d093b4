using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Agent.Steps;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent.Requests;

/// <summary>Answers the short questions of a node: what lies in a folder of this host, or of a
/// snapshot, or how far a step of a runbook is.</summary>
public sealed partial class RequestAnswers(OpenRepositories repositories, AgentState state, StepRunner steps,
    ILogger<RequestAnswers> log)
{
    const int MaximumEntries = 10_000;

    /// <summary>Answers one; never throws, because nobody waits here.</summary>
    public async Task Answer(AgentApiClient client, AgentRequest request, CancellationToken ct)
    {
        try
        {
            AgentRequestAnswer answer;
            using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
            late.CancelAfter(AgentProtocol.RequestTimeout);
            try { answer = await Task.Run(() => Answer(request, late.Token), late.Token); }
            catch (BackupDrException e)
            {
                answer = new AgentRequestAnswer
                {
                    Error =
                new JobError(e.Code, e.Message, e.Hint, e.IsTransient)
                };
            }
            await client.Answer(request.Id, answer, ct);
        }
        catch (BackupDrException e) { LogUnanswered(log, request.Kind, e.Message); }
        catch (OperationCanceledException) { LogUnanswered(log, request.Kind, "it took too long"); }
    }

    async Task<AgentRequestAnswer> Answer(AgentRequest request, CancellationToken ct) => request switch
    {
        { Kind: AgentRequestKind.CheckSource } => new AgentRequestAnswer { Findings = await SourceLook.Check(request.Source, state, ct) },
        { Kind: AgentRequestKind.Step, Step: { } step } => new AgentRequestAnswer { Step = await steps.Answer(step, ct) },
        _ => new AgentRequestAnswer { Listing = await List(request, ct) },
    };

    async Task<FolderListing> List(AgentRequest request, CancellationToken ct)
    {
        if (request.Kind == AgentRequestKind.ListFolder) return HostFolder.List(request.Path, ct);
        if (request is not { Kind: AgentRequestKind.ListSnapshotFolder, Repository: { } repository, SnapshotId: { } snapshot })
            throw new BadInputException("kind", $"The question {request.Kind} is unknown to this agent.",
                "Install the agent of the node's version.");
        var nodes = await repositories.List(repository, snapshot, request.Path, ct);
        // nodes are sorted by name already
        var entries = nodes.Select(Entry).OrderBy(entry => entry.Kind != EntryKind.Folder).Take(MaximumEntries).ToList();
        return new FolderListing(request.Path, entries, nodes.Count > MaximumEntries);
    }

    static FolderEntry Entry(Node node) => new()
    {
        Name = node.Name,
        SizeBytes = (long)node.SizeBytes,
        ModifiedAt = node.ModifiedAt.ToDateTimeOffset(),
        Permissions =
            node.Permissions,
        LinkTarget = node.LinkTarget,
        Kind = node.Type switch
        {
            NodeType.Dir => EntryKind.Folder,
            NodeType.File => EntryKind.File,
            NodeType.Symlink => EntryKind.Link,
            _ => EntryKind.Other
        },
    };

    [LoggerMessage(3201, LogLevel.Warning, "A question ({Kind}) could not be answered: {Reason}")]
    static partial void LogUnanswered(ILogger log, AgentRequestKind kind, string reason);
}
