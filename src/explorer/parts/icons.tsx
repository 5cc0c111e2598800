import type { ComponentChildren } from 'preact';

function Icon({ children, size = 16 }: { readonly children: ComponentChildren; readonly size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const CopyIcon = () => (
  <Icon size={14}>
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
    <path d="M10.5 5.5v-2a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2" />
  </Icon>
);

export const DoneIcon = () => (
  <Icon size={14}>
    <path d="M3 8.5l3.2 3.2L13 4.8" />
  </Icon>
);

export const OutIcon = () => (
  <Icon size={14}>
    <path d="M6.5 3.5h-3v9h9v-3M9 3h4v4M13 3L7.5 8.5" />
  </Icon>
);

export const SearchIcon = () => (
  <Icon>
    <circle cx="7" cy="7" r="4.2" />
    <path d="M10.2 10.2L13.5 13.5" />
  </Icon>
);

export const ArrowIcon = () => (
  <Icon size={14}>
    <path d="M2.5 8h11M9.5 4l4 4-4 4" />
  </Icon>
);
