using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Health;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Secrets;
using BackupDr.Scheduler.Telemetry;
using Microsoft.AspNetCore.Mvc;

namespace BackupDr.Scheduler.Api;

/// <summary>The routes of /api/v1: each binds one handler, nothing more.</summary>
static class ApiEndpoints
{
    public static void MapApi(this IEndpointRouteBuilder app)
    {
        var api = app.MapGroup("/api/v1").WithMetadata(new RequestSizeLimitAttribute(SchedulerNode.LargestApiBodyBytes));
        AccessEndpoints.Map(api);
        MapSafety(api);
        MapHosts(api);
        MapStorage(api);
        MapPolicies(api);
        MapRuns(api);
        MapPoints(api);
        PolicyEndpoints.Map(api);
        RunbookEndpoints.Map(api);
        EvidenceEndpoints.Map(api);
        AlertEndpoints.Map(api);
        NodeEndpoints.Map(api);
        SecretEndpoints.Map(api);
        StepSecretEndpoints.Map(api);
        LiveEndpoint.Map(api);
    }

    static void MapSafety(RouteGroupBuilder api)
    {
        api.MapGet("metrics", async (Caller caller, ShowMetrics handler, CancellationToken ct) => Results.Text(
            await handler.Handle(caller, new ShowMetricsRequest(), ct), PrometheusText.ContentType)).For<ShowMetrics>();
        api.MapPost("support-bundle", async (Caller caller, WriteSupportBundle handler, CancellationToken ct) =>
        {
            var bundle = await handler.Handle(caller, new WriteSupportBundleRequest(), ct);
            return Results.File(bundle.Content, "application/zip", bundle.FileName);
        }).For<WriteSupportBundle>();
        api.MapGet("safety", (Caller caller, ShowSafety handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowSafetyRequest(), ct)).For<ShowSafety>();
    }

    static void MapHosts(RouteGroupBuilder api)
    {
        api.MapGet("hosts", (Caller caller, ListHosts handler, CancellationToken ct) => handler.Handle(caller, new ListHostsRequest(), ct))
            .For<ListHosts>();
        api.MapGet("hosts/{id}", (Caller caller, string id, ShowHost handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowHostRequest(HostId.Parse(id)), ct)).For<ShowHost>();
        api.MapPost("hosts/{id}/retire", (Caller caller, string id, RetireHost handler, CancellationToken ct) =>
            Done(handler.Handle(caller, new RetireHostRequest(HostId.Parse(id)), ct))).For<RetireHost>();
        api.MapPost("hosts/{id}/approve", (Caller caller, string id, ApproveHost handler, CancellationToken ct) =>
            handler.Handle(caller, new ApproveHostRequest(HostId.Parse(id)), ct)).For<ApproveHost>();
        api.MapPost("hosts/{id}/refuse", (Caller caller, string id, RefuseHost handler, CancellationToken ct) =>
            Done(handler.Handle(caller, new RefuseHostRequest(HostId.Parse(id)), ct))).For<RefuseHost>();
        api.MapPut("hosts/{id}/backups-at-once", (Caller caller, string id, SetHostBackupsAtOnceRequest request,
            SetHostBackupsAtOnce handler, CancellationToken ct) => handler.Handle(caller, request with { Id = HostId.Parse(id) }, ct))
            .For<SetHostBackupsAtOnce>();
        api.MapGet("hosts/{id}/restore-plan", (Caller caller, string id, PlanHostRestore handler, CancellationToken ct) =>
            handler.Handle(caller, new PlanHostRestoreRequest(HostId.Parse(id)), ct)).For<PlanHostRestore>();
        api.MapPost("hosts/{id}/browse", (Caller caller, string id, FolderPath request, BrowseHost handler, CancellationToken ct)
            => handler.Handle(caller, new BrowseHostRequest(HostId.Parse(id), request.Path), ct)).For<BrowseHost>();
        api.MapPost("hosts/{id}/check-source", (Caller caller, string id, SourceSpec source, CheckSource handler, CancellationToken ct)
            => handler.Handle(caller, new CheckSourceRequest(HostId.Parse(id), source), ct)).For<CheckSource>();
        api.MapGet("unprotected", (Caller caller, ListUnprotected handler, CancellationToken ct) =>
            handler.Handle(caller, new ListUnprotectedRequest(), ct)).For<ListUnprotected>();
        api.MapPost("hosts/{id}/found/hide", (Caller caller, string id, HideFoundRequest request, HideFound handler, CancellationToken ct)
            => Done(handler.Handle(caller, request with { Host = HostId.Parse(id) }, ct))).For<HideFound>();
        api.MapPost("hosts/{id}/found/show", (Caller caller, string id, ShowFoundRequest request, ShowFound handler, CancellationToken ct)
            => Done(handler.Handle(caller, request with { Host = HostId.Parse(id) }, ct))).For<ShowFound>();
        api.MapPost("join-tokens", (Caller caller, CreateJoinTokenRequest request, CreateJoinToken handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<CreateJoinToken>();
        api.MapGet("join-tokens/{id}", (Caller caller, string id, ShowJoinToken handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowJoinTokenRequest(JoinTokenId.Parse(id)), ct)).For<ShowJoinToken>();
    }

    static void MapStorage(RouteGroupBuilder api)
    {
        api.MapGet("control-plane", (Caller caller, ShowControlPlane handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowControlPlaneRequest(), ct)).For<ShowControlPlane>();
        api.MapPost("control-plane/export", (Caller caller, ExportControlPlane handler, CancellationToken ct) =>
            handler.Handle(caller, new ExportControlPlaneRequest(), ct)).For<ExportControlPlane>();
        MapLocations(api);
        api.MapGet("repositories", (Caller caller, ListRepositories handler, CancellationToken ct) =>
            handler.Handle(caller, new ListRepositoriesRequest(), ct)).For<ListRepositories>();
        api.MapGet("repositories/{id}/reach", (Caller caller, string id, ShowRepositoryReach handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowRepositoryReachRequest(RepositoryId.Parse(id)), ct)).For<ShowRepositoryReach>();
        api.MapPost("repositories/{id}/reveal", (Caller caller, string id, RevealRepositoryPassword handler, CancellationToken ct)
            => handler.Handle(caller, new RevealRepositoryPasswordRequest(RepositoryId.Parse(id)), ct)).For<RevealRepositoryPassword>();
        api.MapPost("repositories/{id}/gateway-user", (Caller caller, string id, CreateGatewayUser handler, CancellationToken ct)
            => handler.Handle(caller, new CreateGatewayUserRequest(RepositoryId.Parse(id)), ct)).For<CreateGatewayUser>();
        api.MapDelete("repositories/{id}/gateway-user", (Caller caller, string id, RemoveGatewayUser handler, CancellationToken ct)
            => Done(handler.Handle(caller, new RemoveGatewayUserRequest(RepositoryId.Parse(id)), ct))).For<RemoveGatewayUser>();
        api.MapPost("repositories/{id}/prune", (Caller caller, string id, StartUpkeep handler, CancellationToken ct)
            => handler.Handle(caller, new StartUpkeepRequest(RepositoryId.Parse(id), JobKind.Prune), ct))
            .For<StartUpkeep>("PruneRepository");
        MapReplicas(api);
        MapAdoption(api);
        api.MapGet("recovery-kit", (Caller caller, ShowRecoveryKit handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowRecoveryKitRequest(), ct)).For<ShowRecoveryKit>();
        api.MapPost("recovery-kit", (Caller caller, WriteRecoveryKit handler, CancellationToken ct) =>
            handler.Handle(caller, new WriteRecoveryKitRequest(), ct)).For<WriteRecoveryKit>();
    }

    static void MapLocations(RouteGroupBuilder api)
    {
        api.MapGet("locations", (Caller caller, ListLocations handler, CancellationToken ct) =>
            handler.Handle(caller, new ListLocationsRequest(), ct)).For<ListLocations>();
        api.MapPost("locations", (Caller caller, CreateLocationRequest request, CreateLocation handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<CreateLocation>();
        api.MapPut("locations/{id}", (Caller caller, string id, EditLocationRequest request, EditLocation handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = LocationId.Parse(id) }, ct)).For<EditLocation>();
        api.MapDelete("locations/{id}", (Caller caller, string id, RemoveLocation handler, CancellationToken ct)
            => Done(handler.Handle(caller, new RemoveLocationRequest(LocationId.Parse(id)), ct))).For<RemoveLocation>();
        api.MapPut("locations/{id}/credentials", (Caller caller, string id, ReplaceLocationCredentialsRequest request,
            ReplaceLocationCredentials handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = LocationId.Parse(id) }, ct)).For<ReplaceLocationCredentials>();
        api.MapPost("locations/{id}/test", (Caller caller, string id, TestLocationRequest? request, TestLocation handler,
            CancellationToken ct) => handler.Handle(caller, (request ?? new TestLocationRequest()) with { Id = LocationId.Parse(id) }, ct))
            .For<TestLocation>();
        api.MapPut("locations/{id}/lock", (Caller caller, string id, SetLocationLockRequest request, SetLocationLock handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = LocationId.Parse(id) }, ct)).For<SetLocationLock>();
        api.MapPut("locations/{id}/backups-at-once", (Caller caller, string id, SetLocationBackupsAtOnceRequest request,
            SetLocationBackupsAtOnce handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = LocationId.Parse(id) }, ct)).For<SetLocationBackupsAtOnce>();
        api.MapPut("locations/{id}/tier", (Caller caller, string id, SetLocationTierRequest request, SetLocationTier handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = LocationId.Parse(id) }, ct)).For<SetLocationTier>();
    }

    static void MapAdoption(RouteGroupBuilder api)
    {
        api.MapPost("repositories", (Caller caller, AdoptRepositoryRequest request, AdoptRepository handler, CancellationToken ct)
            => handler.Handle(caller, request, ct)).For<AdoptRepository>();
        api.MapPost("repositories/{id}/look", (Caller caller, string id, LookAgainRequest? request, LookAgain handler, CancellationToken ct)
            => handler.Handle(caller, (request ?? new LookAgainRequest(default)) with { Id = RepositoryId.Parse(id) }, ct))
            .For<LookAgain>();
        api.MapPut("repositories/{id}/upkeep", (Caller caller, string id, AllowUpkeepRequest request, AllowUpkeep handler,
            CancellationToken ct) => Done(handler.Handle(caller, request with { Id = RepositoryId.Parse(id) }, ct))).For<AllowUpkeep>();
        api.MapDelete("repositories/{id}", (Caller caller, string id, RemoveRepository handler, CancellationToken ct)
            => Done(handler.Handle(caller, new RemoveRepositoryRequest(RepositoryId.Parse(id)), ct))).For<RemoveRepository>();
    }

    static void MapReplicas(RouteGroupBuilder api)
    {
        api.MapPost("repositories/{id}/replicas", (Caller caller, string id, AddReplicaRequest request, AddReplica handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = RepositoryId.Parse(id) }, ct)).For<AddReplica>();
        api.MapDelete("repositories/{id}/replicas/{location}", (Caller caller, string id, string location, RemoveReplica handler,
            CancellationToken ct) => Done(handler.Handle(caller, new RemoveReplicaRequest(RepositoryId.Parse(id),
                LocationId.Parse(location)), ct))).For<RemoveReplica>();
        api.MapPost("repositories/{id}/replicate", (Caller caller, string id, ReplicateRepositoryRequest request,
            ReplicateRepository handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = RepositoryId.Parse(id) }, ct)).For<ReplicateRepository>();
        api.MapPost("repositories/{id}/check", (Caller caller, string id, StartUpkeep handler, CancellationToken ct)
            => handler.Handle(caller, new StartUpkeepRequest(RepositoryId.Parse(id), JobKind.Check), ct))
            .For<StartUpkeep>("CheckRepository");
        api.MapPost("repositories/{id}/tier", (Caller caller, string id, StartUpkeep handler, CancellationToken ct)
            => handler.Handle(caller, new StartUpkeepRequest(RepositoryId.Parse(id), JobKind.Tier), ct))
            .For<StartUpkeep>("TierRepository");
    }

    static void MapPolicies(RouteGroupBuilder api)
    {
        api.MapGet("policies", (Caller caller, ListPolicies handler, CancellationToken ct) =>
            handler.Handle(caller, new ListPoliciesRequest(), ct)).For<ListPolicies>();
        api.MapGet("policies/{id}", (Caller caller, string id, ShowPolicy handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowPolicyRequest(PolicyId.Parse(id)), ct)).For<ShowPolicy>();
        api.MapPost("policies", (Caller caller, CreatePolicyRequest request, CreatePolicy handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<CreatePolicy>();
        api.MapPost("policies/preview", (Caller caller, PreviewPolicyRequest request, PreviewPolicy handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<PreviewPolicy>();
        api.MapPost("policies/simulate", (Caller caller, SimulatePolicyRequest request, SimulatePolicy handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<SimulatePolicy>();
        api.MapPut("policies/{id}", (Caller caller, string id, EditPolicyRequest request, EditPolicy handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = PolicyId.Parse(id) }, ct)).For<EditPolicy>();
        api.MapPost("policies/{id}/pause", (Caller caller, string id, PausePolicyRequest request, PausePolicy handler, CancellationToken ct)
            => Done(handler.Handle(caller, request with { Id = PolicyId.Parse(id) }, ct))).For<PausePolicy>();
        api.MapPost("policies/{id}/resume", (Caller caller, string id, ResumePolicy handler, CancellationToken ct) =>
            Done(handler.Handle(caller, new ResumePolicyRequest(PolicyId.Parse(id)), ct))).For<ResumePolicy>();
        api.MapPost("policies/{id}/run", (Caller caller, string id, RunPolicy handler, CancellationToken ct) =>
            handler.Handle(caller, new RunPolicyRequest(PolicyId.Parse(id)), ct)).For<RunPolicy>();
        api.MapDelete("policies/{id}", (Caller caller, string id, RemovePolicy handler, CancellationToken ct) =>
            Done(handler.Handle(caller, new RemovePolicyRequest(PolicyId.Parse(id)), ct))).For<RemovePolicy>();
        api.MapGet("items", (Caller caller, ListItems handler, CancellationToken ct) => handler.Handle(caller, new ListItemsRequest(), ct))
            .For<ListItems>();
        api.MapGet("items/days", (Caller caller, string? item, ListItemDays handler, CancellationToken ct) => handler.Handle(caller,
            new ListItemDaysRequest(string.IsNullOrEmpty(item) ? null : ItemId.Parse(item)), ct)).For<ListItemDays>();
        api.MapGet("items/{id}", (Caller caller, string id, ShowItem handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowItemRequest(ItemId.Parse(id)), ct)).For<ShowItem>();
        api.MapPost("items/{id}/restore", (Caller caller, string id, RestoreMomentRequest request, RestoreMoment handler,
            CancellationToken ct) => handler.Handle(caller, request with { Item = ItemId.Parse(id) }, ct)).For<RestoreMoment>();
        api.MapGet("items/{id}/retention", (Caller caller, string id, ShowItemRetention handler, CancellationToken ct)
            => handler.Handle(caller, new ShowItemRetentionRequest(ItemId.Parse(id)), ct)).For<ShowItemRetention>();
        api.MapPost("items/{id}/retention/hold", (Caller caller, string id, HoldItemRequest request, HoldItem handler,
            CancellationToken ct) => Done(handler.Handle(caller, request with { Id = ItemId.Parse(id) }, ct))).For<HoldItem>();
        api.MapPost("items/{id}/retention/lift", (Caller caller, string id, LiftItemHoldRequest request, LiftItemHold handler,
            CancellationToken ct) => Done(handler.Handle(caller, request with { Id = ItemId.Parse(id) }, ct))).For<LiftItemHold>();
        api.MapGet("items/{id}/log", (Caller caller, string id, ShowItemLog handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowItemLogRequest(ItemId.Parse(id)), ct)).For<ShowItemLog>();
    }

    static void MapRuns(RouteGroupBuilder api)
    {
        api.MapGet("runs", (Caller caller, string[]? state, string? kind, string? item, string? policy, string? host,
            DateTimeOffset? since, DateTimeOffset? until, string? before, int? limit, ListRuns handler, CancellationToken ct)
            => handler.Handle(caller, new ListRunsRequest
            {
                States = [.. (state ?? []).Select(text => Word<RunState>("state", text))],
                Kind = kind is null ? null
                : Word<JobKind>("kind", kind),
                Item = item is null ? null : ItemId.Parse(item),
                Policy = policy is null ? null : PolicyId.Parse(policy),
                Host = host is null ? null : HostId.Parse(host),
                Since = since,
                Until = until,
                Before = before is null ? null : RunId.Parse(before),
                Limit = limit ?? 50,
            }, ct)).For<ListRuns>();
        api.MapGet("runs/{id}", (Caller caller, string id, ShowRun handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowRunRequest(RunId.Parse(id)), ct)).For<ShowRun>();
        api.MapGet("runs/{id}/events", (Caller caller, string id, long? after, int? limit, ReadRunEvents handler, CancellationToken ct)
            => handler.Handle(caller, new ReadRunEventsRequest(RunId.Parse(id), after, limit ?? 1000), ct)).For<ReadRunEvents>();
        api.MapPost("runs/{id}/cancel", (Caller caller, string id, CancelRun handler, CancellationToken ct) =>
            Done(handler.Handle(caller, new CancelRunRequest(RunId.Parse(id)), ct))).For<CancelRun>();
        api.MapPost("runs/{id}/retry", (Caller caller, string id, RetryRun handler, CancellationToken ct) =>
            handler.Handle(caller, new RetryRunRequest(RunId.Parse(id)), ct)).For<RetryRun>();
        api.MapPost("runs/{id}/thaw", (Caller caller, string id, ThawAndRestoreRequest? request, ThawAndRestore handler,
            CancellationToken ct) => handler.Handle(caller, (request ?? new ThawAndRestoreRequest()) with { Id = RunId.Parse(id) }, ct))
            .For<ThawAndRestore>();
    }

    static void MapPoints(RouteGroupBuilder api)
    {
        api.MapGet("points", (Caller caller, string? item, string? repository, string? before, int? limit,
            ListRecoveryPoints handler, CancellationToken ct) => handler.Handle(caller, new ListRecoveryPointsRequest(
                item is null ? null : ItemId.Parse(item), limit ?? 200, repository is null ? null : RepositoryId.Parse(repository),
                before is null ? null : RecoveryPointId.Parse(before)), ct))
                .For<ListRecoveryPoints>();
        api.MapGet("points/{id}", (Caller caller, string id, ShowRecoveryPoint handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowRecoveryPointRequest(RecoveryPointId.Parse(id)), ct)).For<ShowRecoveryPoint>();
        api.MapPost("points/{id}/browse", (Caller caller, string id, FolderPath request, BrowseRecoveryPoint handler, CancellationToken ct)
            => handler.Handle(caller, new BrowseRecoveryPointRequest(RecoveryPointId.Parse(id), request.Path), ct))
                .For<BrowseRecoveryPoint>();
        api.MapPost("points/{id}/hold", (Caller caller, string id, HoldPointRequest request, HoldPoint handler, CancellationToken ct)
            => Done(handler.Handle(caller, request with { Id = RecoveryPointId.Parse(id) }, ct))).For<HoldPoint>();
        api.MapPost("points/{id}/hold/lift", (Caller caller, string id, LiftPointHoldRequest request, LiftPointHold handler,
            CancellationToken ct) => Done(handler.Handle(caller, request with { Id = RecoveryPointId.Parse(id) }, ct)))
            .For<LiftPointHold>();
        api.MapPost("points/{id}/take-out", (Caller caller, string id, TakeOutPoint handler, CancellationToken ct)
            => Done(handler.Handle(caller, new TakeOutPointRequest(RecoveryPointId.Parse(id)), ct))).For<TakeOutPoint>();
        api.MapPost("points/{id}/drill", (Caller caller, string id, RequestDrill handler, CancellationToken ct) =>
            handler.Handle(caller, new RequestDrillRequest(RecoveryPointId.Parse(id)), ct)).For<RequestDrill>();
        api.MapPost("restores/preview", (Caller caller, PlanRestoreRequest request, PlanRestore handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<PlanRestore>();
        api.MapPost("restores", (Caller caller, RequestRestoreRequest request, RequestRestore handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<RequestRestore>();
    }

    static async Task<IResult> Done(Task work)
    {
        await work;
        return Results.NoContent();
    }

    static T Word<T>(string field, string text) where T : struct, Enum => Enum.TryParse<T>(text, ignoreCase: true, out var value)
        && Enum.IsDefined(value) ? value
        : throw new BadInputException(field, $"'{text}' is no {field}.", $"One of {string.Join(", ", Enum.GetNames<T>())}.");
}
