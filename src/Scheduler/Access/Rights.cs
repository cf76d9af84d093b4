using System.Collections.Frozen;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Access.Trail;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Alone;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Health;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Documents;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Secrets;
using BackupDr.Scheduler.Telemetry;

namespace BackupDr.Scheduler.Access;

/// <summary>The one table of use cases: each handler and the right that it needs. What is not in it cannot be called over HTTP.</summary>
/// <remarks>Tests compare it with the handlers' first lines and with the mapped endpoints.</remarks>
public static class Rights
{
    static readonly Dictionary<Type, Right> OfMachines = new()
    {
        [typeof(AnswerRequest)] = Right.AgentWork,
        [typeof(ServeObjects)] = Right.ObjectUse,
        [typeof(CompleteRun)] = Right.AgentWork,
        [typeof(TellDuties)] = Right.AgentWork,
        [typeof(MeetAlone)] = Right.AgentWork,
        [typeof(LeaseRun)] = Right.AgentWork,
        [typeof(RecordInventory)] = Right.AgentWork,
        [typeof(RenewCertificate)] = Right.AgentWork,
        [typeof(ReportRun)] = Right.AgentWork,
        [typeof(JoinAgent)] = Right.JoinHost,
    };

    static readonly Dictionary<Type, Right> OfNodes = new()
    {
        [typeof(ListNodes)] = Right.NodeRead,
        [typeof(DrainNode)] = Right.NodeManage,
        [typeof(RemoveNode)] = Right.NodeManage,
        [typeof(CreateNodeToken)] = Right.NodeManage,
        [typeof(JoinNode)] = Right.JoinHost,
        [typeof(ShowSecretRotation)] = Right.NodeRead,
        [typeof(RotateSecrets)] = Right.SecretReveal,
    };

    static readonly Dictionary<Type, Right> OfHosts = new()
    {
        [typeof(BrowseHost)] = Right.HostBrowse,
        [typeof(CheckSource)] = Right.HostBrowse,
        [typeof(CreateJoinToken)] = Right.HostManage,
        [typeof(SetHostLabels)] = Right.HostManage,
        [typeof(RetireHost)] = Right.HostManage,
        [typeof(ApproveHost)] = Right.HostManage,
        [typeof(RefuseHost)] = Right.HostManage,
        [typeof(SetHostBackupsAtOnce)] = Right.HostManage,
        [typeof(ShowJoinToken)] = Right.HostManage,
        [typeof(ListHosts)] = Right.HostRead,
        [typeof(ShowHost)] = Right.HostRead,
        [typeof(ListUnprotected)] = Right.PolicyRead,
        [typeof(HideFound)] = Right.PolicyWrite,
        [typeof(ShowFound)] = Right.PolicyWrite,
    };

    static readonly Dictionary<Type, Right> OfPeople = new()
    {
        [typeof(CreateGatewayUser)] = Right.SecretReveal,
        [typeof(RemoveGatewayUser)] = Right.StorageManage,
        [typeof(WriteSupportBundle)] = Right.AuditRead,
        [typeof(ListEvidence)] = Right.EvidenceRead,
        [typeof(ShowEvidence)] = Right.EvidenceRead,
        [typeof(ExportEvidence)] = Right.EvidenceRead,
        [typeof(ShowEvidenceReport)] = Right.EvidenceRead,
        [typeof(ListAlerts)] = Right.AlertRead,
        [typeof(AcknowledgeAlert)] = Right.AlertAcknowledge,
        [typeof(EndAlert)] = Right.AlertAcknowledge,
        [typeof(ListChannels)] = Right.ChannelRead,
        [typeof(ShowChannel)] = Right.ChannelRead,
        [typeof(SaveChannel)] = Right.ChannelManage,
        [typeof(RemoveChannel)] = Right.ChannelManage,
        [typeof(TestChannel)] = Right.ChannelManage,
        [typeof(ListStepSecrets)] = Right.RunbookRead,
        [typeof(SaveStepSecret)] = Right.SecretReveal,
        [typeof(RemoveStepSecret)] = Right.SecretReveal,
        [typeof(RequestDrill)] = Right.DrillStart,
        [typeof(HoldPoint)] = Right.RetentionManage,
        [typeof(LiftPointHold)] = Right.RetentionManage,
        [typeof(TakeOutPoint)] = Right.RetentionManage,
        [typeof(HoldItem)] = Right.RetentionManage,
        [typeof(LiftItemHold)] = Right.RetentionManage,
        [typeof(ShowItemRetention)] = Right.PolicyRead,
        [typeof(SimulatePolicy)] = Right.PolicyRead,
        [typeof(BrowseRecoveryPoint)] = Right.PointBrowse,
        [typeof(ListRecoveryPoints)] = Right.PointRead,
        [typeof(ShowRecoveryPoint)] = Right.PointRead,
        [typeof(ListItems)] = Right.PolicyRead,
        [typeof(ListItemDays)] = Right.PolicyRead,
        [typeof(ListPolicies)] = Right.PolicyRead,
        [typeof(PreviewPolicy)] = Right.PolicyRead,
        [typeof(ShowItemLog)] = Right.PolicyRead,
        [typeof(ShowItem)] = Right.PolicyRead,
        [typeof(ShowPolicy)] = Right.PolicyRead,
        [typeof(CreatePolicy)] = Right.PolicyWrite,
        [typeof(EditPolicy)] = Right.PolicyWrite,
        [typeof(PausePolicy)] = Right.PolicyWrite,
        [typeof(RemovePolicy)] = Right.PolicyWrite,
        [typeof(ResumePolicy)] = Right.PolicyWrite,
        [typeof(PlanRestore)] = Right.RestoreRead,
        [typeof(PlanHostRestore)] = Right.RestoreRead,
        [typeof(ThawAndRestore)] = Right.RestoreStart,
        [typeof(RestoreMoment)] = Right.RestoreStart,
        [typeof(RequestRestore)] = Right.RestoreStart,
        [typeof(CancelRun)] = Right.RunCancel,
        [typeof(ListRuns)] = Right.RunRead,
        [typeof(ReadRunEvents)] = Right.RunRead,
        [typeof(ShowRun)] = Right.RunRead,
        [typeof(FirePolicy)] = Right.RunStart,
        [typeof(RetryRun)] = Right.RunStart,
        [typeof(RunPolicy)] = Right.RunStart,
        [typeof(ShowSafety)] = Right.SafetyRead,
        [typeof(RevealRepositoryPassword)] = Right.SecretReveal,
        [typeof(WriteRecoveryKit)] = Right.SecretReveal,
    };

    static readonly Dictionary<Type, Right> OfAccess = new()
    {
        [typeof(SignIn)] = Right.SignIn,
        [typeof(AcceptInvitation)] = Right.SignIn,
        [typeof(ShowMe)] = Right.OwnAccount,
        [typeof(SignOut)] = Right.OwnAccount,
        [typeof(ChangePassword)] = Right.OwnAccount,
        [typeof(ListOwnSessions)] = Right.OwnAccount,
        [typeof(EndOwnSession)] = Right.OwnAccount,
        [typeof(ListUsers)] = Right.UserManage,
        [typeof(ShowUser)] = Right.UserManage,
        [typeof(CreateUser)] = Right.UserManage,
        [typeof(SetUserRoles)] = Right.UserManage,
        [typeof(DisableUser)] = Right.UserManage,
        [typeof(EnableUser)] = Right.UserManage,
        [typeof(ResetPassword)] = Right.UserManage,
        [typeof(EndSession)] = Right.UserManage,
        [typeof(ListApiKeys)] = Right.UserManage,
        [typeof(CreateApiKey)] = Right.UserManage,
        [typeof(RevokeApiKey)] = Right.UserManage,
        [typeof(ListApprovals)] = Right.ApprovalRead,
        [typeof(ShowApproval)] = Right.ApprovalRead,
        [typeof(ApproveApproval)] = Right.ApprovalDecide,
        [typeof(RefuseApproval)] = Right.ApprovalRead,
        [typeof(ShowFourEyes)] = Right.ApprovalRead,
        [typeof(SetFourEyes)] = Right.UserManage,
        [typeof(ListAudit)] = Right.AuditRead,
        [typeof(VerifyAudit)] = Right.AuditRead,
        [typeof(ExportAudit)] = Right.AuditRead,
    };

    static readonly Dictionary<Type, Right> OfDocuments = new()
    {
        [typeof(ShowPolicyDocument)] = Right.PolicyRead,
        [typeof(WritePolicyDocument)] = Right.PolicyRead,
        [typeof(ListPolicyVersions)] = Right.PolicyRead,
        [typeof(ComparePolicyVersions)] = Right.PolicyRead,
        [typeof(ListPolicyTemplates)] = Right.PolicyRead,
        [typeof(PreviewAssignment)] = Right.PolicyRead,
        [typeof(ApplyPolicies)] = Right.PolicyWrite,
        [typeof(RestorePolicyVersion)] = Right.PolicyWrite,
        [typeof(AgreeAssignment)] = Right.PolicyWrite,
        [typeof(RetireItem)] = Right.PolicyWrite,
    };

    static readonly Dictionary<Type, Right> OfStorage = new()
    {
        [typeof(CreateLocation)] = Right.StorageManage,
        [typeof(EditLocation)] = Right.StorageManage,
        [typeof(RemoveLocation)] = Right.StorageManage,
        [typeof(ReplaceLocationCredentials)] = Right.StorageManage,
        [typeof(TestLocation)] = Right.StorageManage,
        [typeof(SetLocationLock)] = Right.StorageManage,
        [typeof(SetLocationTier)] = Right.StorageManage,
        [typeof(SetLocationBackupsAtOnce)] = Right.StorageManage,
        [typeof(ListLocations)] = Right.StorageRead,
        [typeof(ShowMetrics)] = Right.SafetyRead,
        [typeof(ShowControlPlane)] = Right.StorageRead,
        [typeof(ExportControlPlane)] = Right.StorageManage,
        [typeof(AdoptRepository)] = Right.StorageManage,
        [typeof(LookAgain)] = Right.StorageManage,
        [typeof(AllowUpkeep)] = Right.StorageManage,
        [typeof(RemoveRepository)] = Right.StorageManage,
        [typeof(AddReplica)] = Right.StorageManage,
        [typeof(RemoveReplica)] = Right.StorageManage,
        [typeof(ReplicateRepository)] = Right.RunStart,
        [typeof(StartUpkeep)] = Right.RunStart,
        [typeof(ListRepositories)] = Right.StorageRead,
        [typeof(ShowRepositoryReach)] = Right.StorageRead,
        [typeof(ShowRecoveryKit)] = Right.StorageRead,
    };

    static readonly Dictionary<Type, Right> OfRunbooks = new()
    {
        [typeof(ListRunbooks)] = Right.RunbookRead,
        [typeof(ShowRunbook)] = Right.RunbookRead,
        [typeof(ListRunbookVersions)] = Right.RunbookRead,
        [typeof(ShowRunbookDocument)] = Right.RunbookRead,
        [typeof(DraftRunbook)] = Right.RunbookRead,
        [typeof(CheckRunbook)] = Right.RunbookRead,
        [typeof(ListStepTimes)] = Right.RunbookRead,
        [typeof(CreateRunbook)] = Right.RunbookWrite,
        [typeof(EditRunbook)] = Right.RunbookWrite,
        [typeof(RemoveRunbook)] = Right.RunbookWrite,
        [typeof(ApplyRunbooks)] = Right.RunbookWrite,
        [typeof(MakeFailback)] = Right.RunbookWrite,
        [typeof(ShowBundle)] = Right.RunbookRead,
        [typeof(SaveBundle)] = Right.SecretReveal,
        [typeof(MergeExecution)] = Right.RunbookExecute,
        [typeof(RehearseRunbook)] = Right.RunbookRehearse,
        [typeof(StartExecution)] = Right.RunbookExecute,
        [typeof(ListExecutions)] = Right.RunbookRead,
        [typeof(ShowExecution)] = Right.RunbookRead,
        [typeof(ListExecutionEvents)] = Right.RunbookRead,
        [typeof(ActOnExecution)] = Right.RunbookRehearse,
        [typeof(ApproveStep)] = Right.RunbookApprove,
    };

    static readonly FrozenDictionary<Type, Right> Table
        = OfRunbooks.Concat(OfMachines).Concat(OfNodes).Concat(OfHosts).Concat(OfAccess).Concat(OfPeople).Concat(OfDocuments)
            .Concat(OfStorage).ToFrozenDictionary();

    /// <summary>Every handler; the node registers them as singletons.</summary>
    public static IEnumerable<Type> Handlers => Table.Keys;

    /// <summary>The right that a handler needs.</summary>
    /// <exception cref="InvalidOperationException">The handler is not in the table.</exception>
    public static Right Of(Type handler) => Table.TryGetValue(handler, out var right) ? right
        : throw new InvalidOperationException($"{handler.Name} is not in the table of rights (Access/Rights.cs).");
}
