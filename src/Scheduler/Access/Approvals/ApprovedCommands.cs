using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Runbooks;

namespace BackupDr.Scheduler.Access.Approvals;

/// <summary>What needs a second person, and how it is done once one approved: by the very handler that was asked.</summary>
public static class ApprovedCommands
{
    static readonly Dictionary<string, Func<IServiceProvider, Caller, string, CancellationToken, Task>> Table = new()
    {
        ["policy.edit"] = Of<EditPolicy, EditPolicyRequest>(WireJson.Default.EditPolicyRequest, (h, c, r, ct) => h.Handle(c, r, ct)),
        ["policy.remove"] = Of<RemovePolicy, RemovePolicyRequest>(WireJson.Default.RemovePolicyRequest, (h, c, r, ct) => h.Handle(c, r,
            ct)),
        ["point.lift"] = Of<LiftPointHold, LiftPointHoldRequest>(WireJson.Default.LiftPointHoldRequest, (h, c, r, ct) => h.Handle(c, r,
            ct)),
        ["item.lift"] = Of<LiftItemHold, LiftItemHoldRequest>(WireJson.Default.LiftItemHoldRequest, (h, c, r, ct) => h.Handle(c, r, ct)),
        ["item.retire"] = Of<RetireItem, RetireItemRequest>(WireJson.Default.RetireItemRequest, (h, c, r, ct) => h.Handle(c, r, ct)),
        ["host.retire"] = Of<RetireHost, RetireHostRequest>(WireJson.Default.RetireHostRequest, (h, c, r, ct) => h.Handle(c, r, ct)),
        ["location.remove"] = Of<RemoveLocation, RemoveLocationRequest>(WireJson.Default.RemoveLocationRequest,
            (h, c, r, ct) => h.Handle(c, r, ct)),
        ["location.lock"] = Of<SetLocationLock, SetLocationLockRequest>(WireJson.Default.SetLocationLockRequest,
            (h, c, r, ct) => h.Handle(c, r, ct)),
        ["repository.remove"] = Of<RemoveRepository, RemoveRepositoryRequest>(WireJson.Default.RemoveRepositoryRequest,
            (h, c, r, ct) => h.Handle(c, r, ct)),
        ["replica.remove"] = Of<RemoveReplica, RemoveReplicaRequest>(WireJson.Default.RemoveReplicaRequest,
            (h, c, r, ct) => h.Handle(c, r, ct)),
        ["restore.over"] = Of<RestoreMoment, RestoreMomentRequest>(WireJson.Default.RestoreMomentRequest,
            (h, c, r, ct) => h.Handle(c, r, ct)),
        ["runbook.execute"] = Of<StartExecution, StartExecutionRequest>(WireJson.Default.StartExecutionRequest,
            (h, c, r, ct) => h.Handle(c, r, ct)),
        ["four_eyes.set"] = Of<SetFourEyes, SetFourEyesRequest>(WireJson.Default.SetFourEyesRequest, (h, c, r, ct) => h.Handle(c, r, ct)),
        ["user.roles"] = Of<SetUserRoles, SetUserRolesRequest>(WireJson.Default.SetUserRolesRequest, (h, c, r, ct) => h.Handle(c, r, ct)),
        ["user.disable"] = Of<DisableUser, DisableUserRequest>(WireJson.Default.DisableUserRequest, (h, c, r, ct) => h.Handle(c, r, ct)),
    };

    /// <summary>Those that are done at once; the others show a secret, and are done again by who asked.</summary>
    public static IEnumerable<string> Actions => Table.Keys;

    /// <summary>Does one, exactly as it was asked for.</summary>
    internal static Task Do(IServiceProvider handlers, string action, Caller caller, string command, CancellationToken ct)
        => Table.TryGetValue(action, out var work) ? work(handlers, caller, command, ct)
            : throw new ConflictException("approval.unknown", $"This node does not know how '{action}' is done.",
                "Approve it on a node of the version that was asked.");

    static Func<IServiceProvider, Caller, string, CancellationToken, Task> Of<THandler, TRequest>(JsonTypeInfo<TRequest> shape,
        Func<THandler, Caller, TRequest, CancellationToken, Task> handle) where THandler : notnull where TRequest : class
        => (handlers, caller, command, ct) => handle(handlers.GetRequiredService<THandler>(), caller,
            JsonSerializer.Deserialize(command, shape)!, ct);
}
