using BackupDr.Contracts;
using BackupDr.Scheduler.ControlPlane;

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

/// <summary>A role, everywhere or in a scope.</summary>
/// <param name="Role">Which rights.</param>
/// <param name="Scope">Where; null for everywhere.</param>
public sealed record Grant(Role Role, Scope? Scope = null);

/// <summary>Who asks. Every handler takes one first and begins with one of its three questions: <see cref="Must(Right)"/> for what is
/// not about one thing, <see cref="Must(Right, ITypedId, CancellationToken)"/> for what is, and <see cref="MustSomewhere"/> for lists,
/// which then leave out what lies outside of its scopes.</summary>
public sealed record Caller
{
    Caller(CallerKind kind, string name, params IReadOnlyList<Grant> grants) => (Kind, Name, Grants) = (kind, name, grants);

    /// <summary>What kind of caller it is.</summary>
    public CallerKind Kind { get; }

    /// <summary>A person's or key's name, "host_…", "system:…" or "anonymous"; stands in the audit log.</summary>
    public string Name { get; }

    /// <summary>Which roles it has, and where.</summary>
    public IReadOnlyList<Grant> Grants { get; }

    /// <summary>The person, for a person.</summary>
    public UserId? Person { get; private init; }

    /// <summary>The API key, for a program.</summary>
    public ApiKeyId? Key { get; private init; }

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

    /// <summary>The request that a second person approved, while exactly that is done.</summary>
    public ApprovalId? Approval { get; init; }

    /// <summary>Finds out where things belong, for a caller with scopes.</summary>
    internal ScopedThings? Things { get; init; }

    /// <summary>The later control plane, where there is one: nobody changes anything in this one then.</summary>
    internal LaterTerm? Later { get; init; }

    /// <summary>Nobody.</summary>
    public static Caller Anonymous(string address = "") => new(CallerKind.Anonymous, "anonymous", new Grant(Role.Anonymous))
    {
        Address = address,
    };

    /// <summary>A person with a session.</summary>
    public static Caller OfPerson(UserId id, string name, IReadOnlyList<Grant> grants, byte[]? session = null,
        bool mustChangePassword = false, string address = "")
        => new(CallerKind.Person, name, grants)
        {
            Person = id,
            Session = session,
            MustChangePassword = mustChangePassword,
            Address = address,
        };

    /// <summary>A program with an API key.</summary>
    public static Caller OfKey(string name, IReadOnlyList<Grant> grants, ApiKeyId? key = null, string address = "")
        => new(CallerKind.ApiKey, $"key:{name}", grants) { Key = key, Address = address };

    /// <summary>A program with one role everywhere.</summary>
    public static Caller OfKey(string name, Role role) => OfKey(name, [new Grant(role)]);

    /// <summary>A host's agent, known by its certificate.</summary>
    public static Caller Agent(HostId host, string address = "") => new(CallerKind.Agent, host.ToString(), new Grant(Role.Agent))
    {
        Host = host,
        Address = address,
    };

    /// <summary>The user of one repository, at the gateway.</summary>
    public static Caller RepositoryUser(RepositoryId repository, string address = "")
        => new(CallerKind.RepositoryUser, $"user:{repository}", new Grant(Role.RepositoryUser))
        {
            Repository = repository,
            Address = address
        };

    /// <summary>A loop of the node itself.</summary>
    /// <param name="name">For example "schedule".</param>
    public static Caller System(string name) => new(CallerKind.System, $"system:{name}", new Grant(Role.System));

    /// <summary>Whether it has the right at all, be it for a few things only.</summary>
    public bool May(Right right)
        => Grants.Any(grant => Roles.Has(grant.Role, right)) && (!MustChangePassword || right is Right.OwnAccount or Right.SignIn);

    /// <summary>Whether it has the right for everything. One's own account lies in every scope.</summary>
    public bool MayEverywhere(Right right) => May(right) && (right is Right.OwnAccount or Right.SignIn
        || Grants.Any(grant => grant.Scope is null && Roles.Has(grant.Role, right)));

    /// <summary>Goes on only with the right for everything.</summary>
    /// <exception cref="NotSignedInException">Nobody is signed in.</exception>
    /// <exception cref="DeniedException">The caller does not have the right, or only for a few things.</exception>
    public void Must(Right right)
    {
        MustSomewhere(right);
        if (!MayEverywhere(right)) throw new DeniedException($"{Name} has the right {right} only for {Reach(right)}, and this is about "
            + "everything.", Ask(right));
    }

    /// <summary>Goes on only with the right, be it for a few things. What is given out is left to <see cref="Sees"/>.</summary>
    /// <exception cref="NotSignedInException">Nobody is signed in.</exception>
    /// <exception cref="DeniedException">The caller does not have the right.</exception>
    /// <exception cref="ConflictException">"control_plane.superseded": it would change something in an old control plane.</exception>
    public void MustSomewhere(Right right)
    {
        if (May(right) && Later is not null && right.IsChange()) throw Later.Refusal();
        if (May(right)) return;
        if (Kind == CallerKind.Anonymous) throw new NotSignedInException("access.not_signed_in",
            $"Nobody is signed in, and this needs the right {right}.", "Sign in, or send an API key as 'Authorization: Bearer'.");
        if (MustChangePassword) throw new DeniedException("The one-time password must be changed first.",
            "Choose an own password, then go on.");
        throw new DeniedException($"{Name} does not have the right {right}.", Ask(right));
    }

    /// <summary>Goes on only with the right for one thing.</summary>
    /// <param name="right">Which.</param>
    /// <param name="thing">A host, location, repository, policy, item, run or recovery point.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="NotSignedInException">Nobody is signed in.</exception>
    /// <exception cref="DeniedException">The caller does not have the right, or not for this thing.</exception>
    public ValueTask Must(Right right, ITypedId thing, CancellationToken ct)
    {
        MustSomewhere(right);
        return MayEverywhere(right) ? default : new ValueTask(MustInside(right, thing, ct));
    }

    async Task MustInside(Right right, ITypedId thing, CancellationToken ct)
    {
        var place = Things is null ? null : await Things.Place(thing, ct);
        if (place is null || !Scopes(right).Any(scope => scope.Holds(place, right == Right.PolicyRead)))
            throw new DeniedException($"{Name} has the right {right} only for {Reach(right)}, and {thing} is not in it.", Ask(right));
    }

    /// <summary>Whether a thing of a list is for this caller.</summary>
    /// <param name="right">Which right the list needs.</param>
    /// <param name="host">Whose it is, where it is a host's.</param>
    /// <param name="policy">Which policy it belongs to, where it does.</param>
    /// <param name="location">Where it lies, where it does.</param>
    public bool Sees(Right right, HostId? host, PolicyId? policy = null, LocationId? location = null)
        => MayEverywhere(right) || Scopes(right).Any(scope => scope.Sees(host, policy, location));

    /// <summary>For the SQL of long lists: the hosts and policies that the caller may see; both null for everything.</summary>
    public (Guid[]? Hosts, Guid[]? Policies) Visible(Right right) => MayEverywhere(right) ? default
        : ([.. Scopes(right).SelectMany(scope => scope.Hosts)], [.. Scopes(right).SelectMany(scope => scope.Policies)]);

    /// <summary>The host that asks.</summary>
    /// <exception cref="DeniedException">The caller is no agent.</exception>
    public HostId MustBeHost()
    {
        Must(Right.AgentWork);
        return Host ?? throw new DeniedException($"{Name} is no agent.");
    }

    /// <summary>Gives minimal-API handlers the request's caller.</summary>
    public static ValueTask<Caller?> BindAsync(HttpContext http) => ValueTask.FromResult<Caller?>(http.Caller());

    IEnumerable<Scope> Scopes(Right right) => Grants.Where(grant => Roles.Has(grant.Role, right)).Select(grant => grant.Scope)
        .OfType<Scope>();

    string Reach(Right right) => string.Join(" or ", Scopes(right).Select(scope => scope.Text).Distinct());

    static string Ask(Right right) => Roles.Least(right) is { } role
        ? $"It needs the role {Roles.Words(role)} here: ask whoever administers the users." : "People never have this right.";
}

/// <summary>The caller of an HTTP request, as its session, key or certificate tells.</summary>
public static class CallerFeature
{
    /// <summary>Who asks; <see cref="Caller.Anonymous"/> where nobody was recognised.</summary>
    public static Caller Caller(this HttpContext http) => http.Features.Get<Caller>()
        ?? Access.Caller.Anonymous(http.Connection.RemoteIpAddress?.ToString() ?? "");
}
