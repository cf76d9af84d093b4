namespace BackupDr.Scheduler.Access;

/// <summary>What a caller may do. Each handler needs exactly one; <see cref="Rights"/> tells which.</summary>
public enum Right
{
    SignIn,
    OwnAccount,
    JoinHost,
    AgentWork,
    UserManage,
    AuditRead,
    ApprovalRead,
    ApprovalDecide,
    EvidenceRead,
    AlertRead,
    AlertAcknowledge,
    ChannelRead,
    ChannelManage,
    HostRead,
    HostManage,
    HostBrowse,
    StorageRead,
    StorageManage,
    SecretReveal,
    ObjectUse,
    PolicyRead,
    PolicyWrite,
    RunRead,
    RunStart,
    RunCancel,
    PointRead,
    PointBrowse,
    RetentionManage,
    DrillStart,
    RestoreRead,
    RestoreStart,
    RestoreOver,
    RunbookRead,
    RunbookWrite,
    RunbookRehearse,
    RunbookExecute,
    RunbookApprove,
    SafetyRead,
    NodeRead,
    NodeManage,
}

/// <summary>What rights are for.</summary>
static class RightKinds
{
    /// <summary>Whether it changes something, or lets somebody change something: refused where a later control plane has begun. What
    /// machines do in their work is decided by what serves it.</summary>
    public static bool IsChange(this Right right) => right is not (Right.SignIn or Right.OwnAccount or Right.AgentWork or Right.ObjectUse
        or Right.AuditRead or Right.ApprovalRead or Right.EvidenceRead or Right.AlertRead or Right.ChannelRead or Right.HostRead
        or Right.StorageRead or Right.PolicyRead or Right.RunRead or Right.PointRead or Right.RestoreRead or Right.RunbookRead
        or Right.SafetyRead or Right.NodeRead);
}
