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
    SafetyRead,
    NodeRead,
    NodeManage,
}

/// <summary>Named sets of rights.</summary>
public enum Role
{
    /// <summary>Nobody signed in: may sign in, or join with a token.</summary>
    Anonymous,
    /// <summary>An agent: works on what it leased.</summary>
    Agent,
    /// <summary>A repository's own user: adds objects through the gateway.</summary>
    RepositoryUser,
    /// <summary>A person or key that may do everything a person can do.</summary>
    Admin,
    /// <summary>The node's own loops.</summary>
    System,
}
