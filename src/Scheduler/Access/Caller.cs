using System.Collections.Frozen;
using BackupDr.Contracts;

namespace BackupDr.Scheduler.Access;

/// <summary>What kind of caller it is.</summary>
public enum CallerKind
{
    Anonymous,
    Person,
    ApiKey,
    Agent,
    RepositoryUser,
    System,
}

/// <summary>Who asks. Every handler takes one first and begins with <see cref="Must"/>.</summary>
public sealed record Caller
{
    static readonly FrozenDictionary<Role, FrozenSet<Right>> RightsOf = new Dictionary<Role, FrozenSet<Right>>
    {
        [Role.Anonymous] = FrozenSet.Create(Right.SignIn, Right.JoinHost),
        [Role.Agent] = FrozenSet.Create(Right.AgentWork, Right.ObjectUse),
        [Role.RepositoryUser] = FrozenSet.Create(Right.ObjectUse),
        [Role.Admin] = Enum.GetValues<Right>().Where(right => right
            is not (Right.JoinHost or Right.AgentWork or Right.ObjectUse)).ToFrozenSet(),
        [Role.System] = Enum.GetValues<Right>().Where(right => right is not (Right.SignIn or Right.JoinHost or Right.AgentWork
            or Right.OwnAccount or Right.ObjectUse)).ToFrozenSet(),
    }.ToFrozenDictionary();

    Caller(CallerKind kind, string name, Role role) => (Kind, Name, Role) = (kind, name, role);

    /// <summary>What kind of caller it is.</summary>
    public CallerKind Kind { get; }

    /// <summary>A person's or key's name, "host_…", "system:…" or "anonymous"; stands in the audit log.</summary>
    public string Name { get; }

    /// <summary>Which rights it has.</summary>
    public Role Role { get; }

    /// <summary>The person, for a person.</summary>
    public UserId? Person { get; private init; }

    /// <summary>The host, for an agent.</summary>
    public HostId? Host { get; private init; }

    /// <summary>The repository, for a repository's user.</summary>
    public RepositoryId? Repository { get; private init; }

    /// <summary>Address that the request came from; empty where there is none.</summary>
    public string Address { get; private init; } = "";

    /// <summary>SHA-256 of the session's token, for a person.</summary>
    public byte[]? Session { get; private init; }

    /// <summary>The person has to change a one-time password before anything else.</summary>
    public bool MustChangePassword { get; private init; }

    /// <summary>Nobody.</summary>
    public static Caller Anonymous(string address = "") => new(CallerKind.Anonymous, "anonymous", Role.Anonymous) { Address = address };

    /// <summary>A person with a session.</summary>
    public static Caller OfPerson(UserId id, string name, Role role, byte[]? session = null, bool mustChangePassword = false,
        string address = "")
        => new(CallerKind.Person, name, role)
        {
            Person = id,
            Session = session,
            MustChangePassword = mustChangePassword,
            Address =
            address
        };

    /// <summary>A program with an API key.</summary>
    public static Caller OfKey(string name, Role role, string address = "") => new(CallerKind.ApiKey, $"key:{name}", role)
    {
        Address =
        address
    };

    /// <summary>A host's agent, known by its certificate.</summary>
    public static Caller Agent(HostId host, string address = "") => new(CallerKind.Agent, host.ToString(), Role.Agent)
    {
        Host = host,
        Address = address
    };

    /// <summary>The user of one repository, at the gateway.</summary>
    public static Caller RepositoryUser(RepositoryId repository, string address = "")
        => new(CallerKind.RepositoryUser, $"user:{repository}", Role.RepositoryUser) { Repository = repository, Address = address };

    /// <summary>A loop of the node itself.</summary>
    /// <param name="name">For example "schedule".</param>
    public static Caller System(string name) => new(CallerKind.System, $"system:{name}", Role.System);

    /// <summary>Whether it has the right.</summary>
    public bool May(Right right)
        => RightsOf[Role].Contains(right) && (!MustChangePassword || right is Right.OwnAccount or Right.SignIn);

    /// <summary>Goes on only with the right.</summary>
    /// <exception cref="NotSignedInException">Nobody is signed in.</exception>
    /// <exception cref="DeniedException">The caller does not have the right.</exception>
    public void Must(Right right)
    {
        if (May(right)) return;
        if (Kind == CallerKind.Anonymous) throw new NotSignedInException("access.not_signed_in",
            $"Nobody is signed in, and this needs the right {right}.", "Sign in, or send an API key as 'Authorization: Bearer'.");
        if (MustChangePassword) throw new DeniedException("The one-time password must be changed first.",
            "Choose an own password, then go on.");
        throw new DeniedException($"{Name} does not have the right {right}.", "Ask an administrator.");
    }

    /// <summary>The host that asks.</summary>
    /// <exception cref="DeniedException">The caller is no agent.</exception>
    public HostId MustBeHost()
    {
        Must(Right.AgentWork);
        return Host ?? throw new DeniedException($"{Name} is no agent.");
    }

    /// <summary>Gives minimal-API handlers the request's caller.</summary>
    public static ValueTask<Caller?> BindAsync(HttpContext http) => ValueTask.FromResult<Caller?>(http.Caller());
}

/// <summary>The caller of an HTTP request, as its session, key or certificate tells.</summary>
public static class CallerFeature
{
    /// <summary>Who asks; <see cref="Caller.Anonymous"/> where nobody was recognised.</summary>
    public static Caller Caller(this HttpContext http) => http.Features.Get<Caller>()
        ?? Access.Caller.Anonymous(http.Connection.RemoteIpAddress?.ToString() ?? "");
}
