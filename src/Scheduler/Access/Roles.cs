using System.Collections.Frozen;

namespace BackupDr.Scheduler.Access;

/// <summary>Named sets of rights. Stored by their words, so that none may be renamed.</summary>
public enum Role
{
    /// <summary>Nobody signed in: may sign in, or join with a token.</summary>
    Anonymous,
    /// <summary>An agent: works on what it leased.</summary>
    Agent,
    /// <summary>A repository's own user: adds objects through the gateway.</summary>
    RepositoryUser,
    /// <summary>Sees everything but secrets and the audit log.</summary>
    Viewer,
    /// <summary>Sees what a viewer sees, and the audit log.</summary>
    Auditor,
    /// <summary>Starts, cancels and repeats runs, makes test restores, restores beside the original.</summary>
    Operator,
    /// <summary>Restores, also in the place of the original.</summary>
    Restorer,
    /// <summary>Writes policies, and holds what they keep.</summary>
    PolicyAdmin,
    /// <summary>Adds and retires hosts.</summary>
    AgentAdmin,
    /// <summary>Adds, changes and removes locations, repositories and replicas.</summary>
    StorageAdmin,
    /// <summary>Writes runbooks and rehearses them.</summary>
    DrEditor,
    /// <summary>Executes runbooks, also in earnest.</summary>
    DrExecutor,
    /// <summary>Approves or refuses what needs four eyes, and starts nothing of it.</summary>
    Approver,
    /// <summary>Users, API keys, passwords of repositories, the recovery kit, and who is told.</summary>
    SecurityAdmin,
    /// <summary>May do everything a person can do.</summary>
    Admin,
    /// <summary>The node's own loops.</summary>
    System,
}

/// <summary>The table of roles: which rights each one has. API, pages, commands and docs/reference/roles.md come from it.</summary>
public static class Roles
{
    static readonly Right[] Reading =
    [
        Right.SignIn, Right.OwnAccount, Right.AlertRead, Right.ApprovalRead, Right.ChannelRead, Right.EvidenceRead, Right.HostRead,
        Right.NodeRead, Right.PointRead, Right.PolicyRead, Right.RestoreRead, Right.RunRead, Right.RunbookRead, Right.SafetyRead,
        Right.StorageRead,
    ];

    static readonly Right[] Working = [Right.RunStart, Right.RunCancel, Right.DrillStart, Right.AlertAcknowledge];

    static readonly Right[] OfMachines = [Right.JoinHost, Right.AgentWork, Right.ObjectUse];

    static readonly FrozenDictionary<Role, FrozenSet<Right>> Table = new Dictionary<Role, FrozenSet<Right>>
    {
        [Role.Anonymous] = FrozenSet.Create(Right.SignIn, Right.JoinHost),
        [Role.Agent] = FrozenSet.Create(Right.AgentWork, Right.ObjectUse),
        [Role.RepositoryUser] = FrozenSet.Create(Right.ObjectUse),
        [Role.Viewer] = Reader(),
        [Role.Auditor] = Reader(Right.AuditRead),
        [Role.Operator] = Reader([.. Working, Right.HostBrowse, Right.PointBrowse, Right.RestoreStart]),
        [Role.Restorer] = Reader(Right.RunCancel, Right.PointBrowse, Right.RestoreStart, Right.RestoreOver),
        [Role.PolicyAdmin] = Reader([.. Working, Right.HostBrowse, Right.PolicyWrite, Right.RetentionManage]),
        [Role.AgentAdmin] = Reader(Right.HostManage, Right.HostBrowse, Right.AlertAcknowledge),
        [Role.StorageAdmin] = Reader(Right.StorageManage, Right.RunStart, Right.RunCancel, Right.AlertAcknowledge),
        [Role.DrEditor] = Reader(Right.RunbookWrite, Right.RunbookRehearse, Right.AlertAcknowledge),
        [Role.DrExecutor] = Reader(Right.RunbookRehearse, Right.RunbookExecute, Right.RunbookApprove, Right.AlertAcknowledge),
        [Role.Approver] = Reader(Right.ApprovalDecide, Right.RunbookApprove, Right.AuditRead),
        [Role.SecurityAdmin] = Reader(Right.UserManage, Right.AuditRead, Right.SecretReveal, Right.ChannelManage, Right.AlertAcknowledge),
        [Role.Admin] = Enum.GetValues<Right>().Except(OfMachines).ToFrozenSet(),
        [Role.System] = Enum.GetValues<Right>().Except(OfMachines).Except([Right.SignIn, Right.OwnAccount]).ToFrozenSet(),
    }.ToFrozenDictionary();

    /// <summary>Those that a person or a key can have, from the least to the most.</summary>
    public static IReadOnlyList<Role> OfPeople { get; } =
    [
        Role.Viewer, Role.Auditor, Role.Operator, Role.Restorer, Role.PolicyAdmin, Role.AgentAdmin, Role.StorageAdmin, Role.DrEditor,
        Role.DrExecutor, Role.Approver, Role.SecurityAdmin, Role.Admin,
    ];

    /// <summary>Whether a role has a right.</summary>
    public static bool Has(Role role, Right right) => Table[role].Contains(right);

    /// <summary>The least role of people with a right, to be named where it is missing; null where people never have it.</summary>
    public static Role? Least(Right right)
        => OfPeople.Where(role => Has(role, right)).OrderBy(role => Table[role].Count).Select(role => (Role?)role).FirstOrDefault();

    /// <summary>A role as people read it: "Policy admin".</summary>
    public static string Words(Role role) => role switch
    {
        Role.PolicyAdmin => "Policy admin",
        Role.AgentAdmin => "Agent admin",
        Role.StorageAdmin => "Storage admin",
        Role.DrEditor => "DR editor",
        Role.DrExecutor => "DR executor",
        Role.SecurityAdmin => "Security admin",
        Role.Admin => "Administrator",
        _ => role.ToString(),
    };

    /// <summary>What it is for, one sentence.</summary>
    public static string Meaning(Role role) => role switch
    {
        Role.Viewer => "sees everything but secrets and the audit log",
        Role.Auditor => "sees what a viewer sees, and the audit log",
        Role.Operator => "starts, cancels and repeats runs, makes test restores, restores beside the original",
        Role.Restorer => "restores, also over the original, and looks into recovery points",
        Role.PolicyAdmin => "writes policies, and holds what they keep",
        Role.AgentAdmin => "adds and retires hosts",
        Role.StorageAdmin => "adds, changes and removes locations, repositories and replicas",
        Role.DrEditor => "writes runbooks and rehearses them",
        Role.DrExecutor => "executes runbooks, also in earnest, and answers their approvals",
        Role.Approver => "approves or refuses what needs four eyes, and starts nothing of it",
        Role.SecurityAdmin => "users, API keys, passwords of repositories, the recovery kit, and who is told",
        Role.Admin => "may do everything a person can do",
        _ => "is no role of people",
    };

    static FrozenSet<Right> Reader(params Right[] more) => Reading.Concat(more).ToFrozenSet();
}
